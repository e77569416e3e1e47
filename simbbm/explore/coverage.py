"""Which of a program's awaits a search came to: a proof about steps never taken says nothing.

What could be awaited is read from the source of the functions that ran. A function that nobody
called shows as the call that was never reached.
"""

from __future__ import annotations

import ast
import inspect
from textwrap import dedent, shorten

from simbbm.core.automaton import Automaton
from simbbm.core.program import Program


def never_awaited(automaton: Automaton) -> list[str]:
    """The awaits that were not come to, as `file:line function: what`."""
    missed = []
    for function, lines in automaton.awaited.items():
        missed += _missed(function, lines)
    return sorted(missed)


def _missed(function: Program, lines: set[int]) -> list[str]:
    source, first = inspect.getsourcelines(function)
    file = inspect.getfile(function).replace("\\", "/").rpartition("/")[2]
    missed = []
    for node in ast.walk(ast.parse(dedent("".join(source)))):
        if isinstance(node, ast.Await):
            start, end = node.lineno + first - 1, (node.end_lineno or node.lineno) + first - 1
            if not any(start <= line <= end for line in lines):
                what = shorten(ast.unparse(node.value), 60)
                missed.append(f"{file}:{start} {function.__name__}: {what}")
    return missed
