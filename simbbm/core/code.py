"""What a function's code does with names, read from its bytecode, once for each code object.

Only names and their order are used (`LOAD_GLOBAL` and the attributes right behind it), in a way
that is the same from Python 3.11 on: later versions merged LOAD_METHOD into LOAD_ATTR, and several
loads of locals into one.
"""

from __future__ import annotations

import dis
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

CALLED = 1
"""Bit of a LOAD_GLOBAL's operand: what is loaded will be called."""
LATER = ("CACHE", "PUSH_NULL", "PRECALL", "NOP", "EXTENDED_ARG", "NOT_TAKEN")
"""Instructions that say nothing about what is loaded."""

_INSIDE = re.compile(r"__\w+__|_[a-z]\w*_|_field_defaults|_abc_impl")
"""Names that Python, its enums and its named tuples keep for themselves."""
_FRAMES = {
    *("cr_frame", "cr_await", "cr_code", "cr_origin", "gi_frame", "gi_code", "gi_yieldfrom"),
    *("ag_frame", "ag_code", "ag_await", "tb_frame", "tb_next", "tb_lasti", "tb_lineno"),
    *("f_back", "f_globals", "f_locals", "f_builtins", "f_code", "f_lasti", "f_lineno", "f_trace"),
}
_ASSERTS = ("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT")
_HANDS_OUT = {
    "format": "it can look at anything's attributes: use an f-string",
    "format_map": "it can look at anything's attributes: use an f-string",
    "register": "what isinstance() says from then on is told to everybody",
}
"""Methods that reach further than a program may."""
_BY_NAME = ("getattr", "hasattr")
_HARMLESS = {"__name__", "__qualname__", "__init__", "__new__", "__class__", "__contains__"}


class Name(NamedTuple):
    """A module's global that is looked up, and the attributes that are then asked of it."""

    path: tuple[str, ...]
    line: int
    called: bool
    """Whether nothing is done with it but calling it."""
    tested: bool
    """Whether nothing is done with it but asking whether it contains something."""


class Mistake(NamedTuple):
    """What no program may do, wherever the names lead."""

    line: int
    what: str
    hint: str


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
        return any(name.path[0] in _BY_NAME for name in self.names)


@cache
def scan(code: CodeType) -> Scan:
    """Read a code object."""
    instructions = [i for i in dis.get_instructions(code) if i.opname not in LATER]
    inner = [scan(const) for const in code.co_consts if isinstance(const, CodeType)]
    words = frozenset(_words(code.co_consts))
    return Scan(
        (*_names(instructions), *(name for scanned in inner for name in scanned.names)),
        (
            *_mistakes(code, instructions, words),
            *(m for scanned in inner for m in scanned.mistakes),
        ),
        (*_methods(instructions), *(m for scanned in inner for m in scanned.methods)),
        any(map(_asserts, instructions)) or any(scanned.asserts for scanned in inner),
        words.union(*(scanned.words for scanned in inner)),
    )


def _asserts(instruction: dis.Instruction) -> bool:
    return instruction.opname in _ASSERTS or instruction.argval == "AssertionError"


def _words(consts: Iterable[Any]) -> Iterator[str]:
    for const in consts:
        if isinstance(const, str):
            yield const
        elif isinstance(const, tuple):
            yield from _words(const)


def _is_attribute(instruction: dis.Instruction) -> bool:
    return instruction.opname in ("LOAD_ATTR", "LOAD_METHOD")


def _is_method(instruction: dis.Instruction) -> bool:
    """Whether an attribute is looked up to be called at once."""
    merged = sys.version_info >= (3, 12)
    return instruction.opname == "LOAD_METHOD" or (merged and bool((instruction.arg or 0) & CALLED))


def _line(instruction: dis.Instruction) -> int:
    positions = instruction.positions
    return (positions.lineno if positions else None) or 0


def _names(instructions: list[dis.Instruction]) -> Iterator[Name]:
    for i, instruction in enumerate(instructions):
        if instruction.opname != "LOAD_GLOBAL":
            continue
        end = i + 1
        while end < len(instructions) and _is_attribute(instructions[end]):
            end += 1
        path = instruction.argval, *(after.argval for after in instructions[i + 1 : end])
        last = instructions[end - 1]
        called = bool((instruction.arg or 0) & CALLED) if end == i + 1 else _is_method(last)
        tested = end < len(instructions) and instructions[end].opname == "CONTAINS_OP"
        yield Name(path, _line(instruction), called, tested)


def _mistakes(
    code: CodeType, instructions: list[dis.Instruction], words: frozenset[str]
) -> Iterator[Mistake]:
    known = "a program may look at nothing but its arguments and what its awaits return"
    for i, (op, after) in enumerate(
        zip(instructions, [*instructions[1:], instructions[-1]], strict=True)
    ):
        at = _line(op)
        if op.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Mistake(at, f"changes the global {op.argval}", known)
        elif op.opname in ("STORE_ATTR", "DELETE_ATTR") and not _of_self(code, instructions[i - 1]):
            hint = "keep it in a local variable, or make another named tuple with _replace"
            yield Mistake(at, f"changes the attribute {op.argval} of something", hint)
        elif op.opname == "IMPORT_NAME":
            yield Mistake(at, f"imports {op.argval}", "import it at the top of the file")
        elif op.opname == "LOAD_BUILD_CLASS":
            yield Mistake(at, "defines a class", "define it at the top of the file")
        elif op.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR") and is_inside(op.argval):
            yield Mistake(at, f"looks at {op.argval}", known)
        elif _is_attribute(op) and op.argval in _HANDS_OUT:
            yield Mistake(at, f"looks at {op.argval}", _HANDS_OUT[op.argval])
        elif op.opname == "LOAD_GLOBAL" and op.argval in _BY_NAME and any(map(is_inside, words)):
            yield Mistake(at, f"looks at {min(filter(is_inside, words))}", known)
        elif (op.opname == "BUILD_SET" or _is_unordered(op)) and after.opname != "CONTAINS_OP":
            hint = "its order is the hash seed's: use a tuple, or dict.fromkeys(...)"
            yield Mistake(at, "makes a set", hint)


def is_inside(name: str) -> bool:
    """Whether an attribute leads to the inside of Python."""
    return name in _FRAMES or (name not in _HARMLESS and bool(_INSIDE.fullmatch(name)))


def _is_unordered(instruction: dis.Instruction) -> bool:
    """Whether a constant set is loaded whose order depends on the hash seed."""
    value = instruction.argval
    return (
        instruction.opname == "LOAD_CONST"
        and isinstance(value, frozenset)
        and not all(isinstance(item, int) for item in value)
    )


def _of_self(code: CodeType, loaded: dis.Instruction) -> bool:
    """Whether a constructor sets an attribute of what it makes."""
    if code.co_name not in ("__init__", "__new__") or "." not in code.co_qualname:
        return False
    if not loaded.opname.startswith("LOAD_FAST"):
        return False
    *_, name = (loaded.argval,) if isinstance(loaded.argval, str) else loaded.argval
    return (name == code.co_varnames[0]) == (code.co_name == "__init__")


def _methods(instructions: list[dis.Instruction]) -> Iterator[Method]:
    for i, instruction in enumerate(instructions):
        if not _is_attribute(instruction):
            continue
        operand: Any = UNKNOWN
        after = instructions[i + 1] if i + 1 < len(instructions) else None
        if after and _is_method(instruction):
            if after.opname == "LOAD_CONST":
                operand = after.argval
            elif after.opname == "CALL" and not after.arg:
                operand = NO_OPERAND
        yield Method(instruction.argval, operand)
