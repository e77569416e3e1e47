"""What a function's code does with names, read from its bytecode, once for each code object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

from simbbm.core.programs.bytecode import (
    CALLED,
    Instruction,
    Instructions,
    instructions_of,
    is_attribute,
    is_call,
    is_method,
    line,
)
from simbbm.core.programs.mistakes import BY_NAME, Mistake, mistakes

_ASSERTS = ("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT")


class Name(NamedTuple):
    """A module's global that is looked up, and the attributes that are then asked of it."""

    path: tuple[str, ...]
    line: int
    called: bool
    """Whether nothing is done with it but calling it."""
    tested: bool
    """Whether nothing is done with it but asking whether it contains something."""
    compared: bool
    """Whether nothing is done with it but asking whether it is the same object."""


class Method(NamedTuple):
    """An attribute that is asked of anything; with what it is called first, if that is known."""

    name: str
    operand: Any
    """A constant, NO_OPERAND if it is called with none, UNKNOWN otherwise."""


NO_OPERAND, UNKNOWN = object(), object()


class Scan(NamedTuple):
    """All that matters of one code object, and of those inside it."""

    names: tuple[Name, ...]
    mistakes: tuple[Mistake, ...]
    methods: tuple[Method, ...]
    asserts: bool
    words: frozenset[str]
    """All text among its constants, as names of arguments are."""

    @property
    def computes_names(self) -> bool:
        """Whether it asks for attributes by names that are not in the code."""
        return any(name.path[0] in BY_NAME for name in self.names)


@cache
def scan(code: CodeType) -> Scan:
    """Read a code object."""
    instructions = instructions_of(code)
    inner = [scan(const) for const in code.co_consts if isinstance(const, CodeType)]
    words = frozenset(_words(code.co_consts))
    return Scan(
        (*_names(instructions), *(name for scanned in inner for name in scanned.names)),
        (
            *mistakes(code, instructions),
            *(m for scanned in inner for m in scanned.mistakes),
        ),
        (*_methods(instructions), *(m for scanned in inner for m in scanned.methods)),
        any(map(_asserts, instructions)) or any(scanned.asserts for scanned in inner),
        words.union(*(scanned.words for scanned in inner)),
    )


def _asserts(instruction: Instruction) -> bool:
    return instruction.opname in _ASSERTS or instruction.argval == "AssertionError"


def _words(consts: Iterable[Any]) -> Iterator[str]:
    for const in consts:
        if isinstance(const, str):
            yield const
        elif isinstance(const, tuple):
            yield from _words(const)


def _names(instructions: Instructions) -> Iterator[Name]:
    for i, instruction in enumerate(instructions):
        if instruction.opname != "LOAD_GLOBAL":
            continue
        end = i + 1
        while end < len(instructions) and is_attribute(instructions[end]):
            end += 1
        path = instruction.argval, *(op.argval for op in instructions[i + 1 : end])
        last = instructions[end - 1]
        called = bool((instruction.arg or 0) & CALLED) if end == i + 1 else is_method(last)
        after = instructions[end].opname if end < len(instructions) else ""
        tested, compared = after == "CONTAINS_OP", after == "IS_OP"
        yield Name(path, line(instruction), called, tested, compared)


def _methods(instructions: Instructions) -> Iterator[Method]:
    for i, instruction in enumerate(instructions):
        if not is_attribute(instruction):
            continue
        operand: Any = UNKNOWN
        after = instructions[i + 1] if i + 1 < len(instructions) else None
        if after and is_method(instruction):
            if after.opname == "LOAD_CONST":
                operand = after.argval
            elif is_call(after, 0):
                operand = NO_OPERAND
        yield Method(instruction.argval, operand)
