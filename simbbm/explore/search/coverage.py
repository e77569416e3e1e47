"""Coverage: the awaits that a search never reached. A proof says nothing about them.

What could be awaited is read from the code of the functions that ran. A function that nobody called
shows as the call that was never reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from linecache import getlines
from opcode import opmap
from textwrap import shorten
from types import CodeType
from typing import NamedTuple

from simbbm.core.points import Programs

AWAIT = opmap["GET_AWAITABLE"]


class _Range(NamedTuple):
    """Where something is in a file; without columns if Python was told to forget them."""

    line: int
    end_line: int | None
    column: int | None
    end_column: int | None

    @property
    def lines(self) -> range:
        return range(self.line, (self.end_line or self.line) + 1)


def never_awaited(automaton: Programs) -> list[str]:
    """The awaits that were not reached, as `file:line function: what`."""
    missed: set[str] = set()
    for code, lines in automaton.awaited.items():
        missed.update(_missed(code, lines))
    return sorted(missed)


def _missed(code: CodeType, lines: set[int]) -> Iterator[str]:
    name = code.co_filename.replace("\\", "/").rpartition("/")[2]
    for awaited in _awaits(code):
        if lines.isdisjoint(awaited.lines):
            yield f"{name}:{awaited.line} {code.co_name}: {_text(code.co_filename, awaited)}"


def _awaits(code: CodeType) -> Iterator[_Range]:
    """Where a function awaits, in its comprehensions too."""
    for operation, where in zip(code.co_code[::2], code.co_positions(), strict=True):
        if operation == AWAIT and where[0] is not None:
            yield _Range(*where)  # type: ignore[arg-type]
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _awaits(inner)


def _text(file: str, awaited: _Range) -> str:
    """What is awaited, as it is written."""
    lines = [line.encode() for line in getlines(file)[awaited.line - 1 : awaited.lines.stop - 1]]
    if not lines:
        return "?"
    lines[-1] = lines[-1][: awaited.end_column]
    lines[0] = lines[0][awaited.column :]
    return shorten(b"".join(lines).decode().strip().removeprefix("await "), 60)
