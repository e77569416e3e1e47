"""Which kernel each modelled routine was read from, and what it is called today.

The table is `linux/read_from.toml`; a routine's docstring says what of the kernel it stands for.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

LINUX = Path(__file__).parent / "linux"
TABLE = LINUX / "read_from.toml"
CITED = re.compile(r"([\w-]+\.[chS]):(\w+)")


class Source(NamedTuple):
    """A routine of the model, and the kernel's."""

    routine: str
    file: str
    """Where the model has it, below simbbm/."""
    kernel: str
    """The kernel's file and function."""
    read_from: str
    """A version, with the commits that came on top of it."""
    today: str | None
    """What the function is called today, if that is something else."""


def table() -> dict[str, dict[str, str]]:
    """The table as it stands: versions of files and of functions, and today's names."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def read_from(file: str, function: str, known: dict[str, dict[str, str]]) -> str:
    """The version that a kernel function was read from."""
    return known["functions"].get(f"{file}:{function}") or known["files"][file]


def cited() -> Iterator[tuple[str, str, str, str]]:
    """Every modelled routine that stands for one of the kernel's.

    Gives its name, its file, and the kernel's file and function.
    """
    for path in sorted(LINUX.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                first = (ast.get_docstring(node) or "").partition("\n")[0]
                if found := CITED.match(first):
                    file = path.relative_to(LINUX.parent).as_posix()
                    yield node.name, file, *found.groups()  # type: ignore[misc]


def sources() -> Iterator[Source]:
    """All modelled routines, file by file, with what is known of the kernel's."""
    known = table()
    for routine, where, file, function in cited():
        version = read_from(file, function, known)
        today = known["today"].get(function)
        yield Source(routine, where, f"{file}:{function}", version, today)
