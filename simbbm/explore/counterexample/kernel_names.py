"""Which of the kernel's functions a routine stands for, and which routine a pointer leads to.

A routine's docstring says the former: `file:function`.
"""

from __future__ import annotations

import re

from simbbm.core.points import Programs
from simbbm.linux.stop_machine import address_of

_POINTER_MIN = 0x1000
"""What is less may be a count."""
_KERNEL = re.compile(r"[\w-]+\.[chS]:\w+")


def kernel_names(automaton: Programs) -> dict[str, str]:
    """`file:function` by the routine's name, of those of a machine's routines that have it."""
    told = {}
    for function in automaton.functions:
        if found := _KERNEL.search(function.__doc__ or ""):
            told[function.__name__] = found[0]
    return told


def pointers(automaton: Programs) -> dict[int, str]:
    """The names of a machine's routines by what a pointer to them is."""
    named = {address_of(function): function.__name__ for function in automaton.functions}
    return {address: name for address, name in named.items() if address >= _POINTER_MIN}
