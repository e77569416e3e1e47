"""Which of the kernel's functions a routine stands for: its docstring says so, `file:function`."""

from __future__ import annotations

import re

from simbbm.core.programs.automaton import Automaton

_KERNEL = re.compile(r"[\w-]+\.[chS]:\w+")


def kernel_names(automaton: Automaton) -> dict[str, str]:
    """`file:function` by the routine's name, of those of a machine's routines that have it."""
    told = {}
    for function in automaton.purity.functions:
        if found := _KERNEL.search(function.__doc__ or ""):
            told[function.__name__] = found[0]
    return told
