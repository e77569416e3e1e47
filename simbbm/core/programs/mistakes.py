"""What no program may do, found in its bytecode, whatever its names refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType
from typing import NamedTuple

from simbbm.core.programs import bytecode
from simbbm.core.programs.bytecode import Instruction, Instructions, is_attribute, is_call, line

KNOWN = "a program may look at nothing but its arguments and what its awaits return"
ORDER = "its order is the hash seed's: use a tuple, or dict.fromkeys(...)"
BY_NAME = ("getattr", "hasattr")
LOOPS = (
    *("all", "any", "dict", "enumerate", "filter", "len", "list", "map", "max", "min"),
    *("reversed", "sorted", "sum", "tuple", "zip"),
)
"""Functions that iterate over their argument and keep no reference to it."""

_INSIDE = re.compile(r"__\w+__|_[a-z]\w*_|_field_defaults|_abc_impl")
"""Names that Python, its enums and its named tuples reserve."""
_FRAMES = {
    *("cr_frame", "cr_await", "cr_code", "cr_origin", "gi_frame", "gi_code", "gi_yieldfrom"),
    *("ag_frame", "ag_code", "ag_await", "tb_frame", "tb_next", "tb_lasti", "tb_lineno"),
    *("f_back", "f_globals", "f_locals", "f_builtins", "f_code", "f_lasti", "f_lineno", "f_trace"),
}
_HARMLESS = {"__name__", "__qualname__", "__class__", "__contains__"}
_HANDS_OUT = {
    "format": "it can look at anything's attributes: use an f-string",
    "format_map": "it can look at anything's attributes: use an f-string",
    "register": "what isinstance() says from then on is told to everybody",
    "union": ORDER,
    "symmetric_difference": ORDER,
}
"""Methods that reach further than a program may."""
_VIEWS = ("keys", "items")
"""Methods of dictionaries whose results make sets of themselves: `a.keys() & b.keys()`."""
_CONSTRUCTORS = ("__init__", "__new__")
_MADE = "what is there already is not made again"


class Mistake(NamedTuple):
    """Something that no program may do, whatever the names refer to."""

    line: int
    what: str
    hint: str
    unless_constructor: bool = False
    """Whether a constructor may do it, since it runs only while its object is made."""


def is_inside(name: str) -> bool:
    """Whether an attribute leads to the inside of Python."""
    return name in _FRAMES or (name not in _HARMLESS and bool(_INSIDE.fullmatch(name)))


def why_not_named(name: str) -> str | None:
    """Say why no program may use an attribute of this name; None if it may."""
    if name in _CONSTRUCTORS:
        return _MADE
    if is_inside(name):
        return KNOWN
    return ORDER if name in _VIEWS else _HANDS_OUT.get(name)


def named(instructions: Instructions, i: int) -> str | None:
    """The name that getattr() or hasattr() is called with; None if it is computed."""
    made = bytecode.operands(instructions, i) or ()
    (only, *more) = made[1] if len(made) > 1 else (None,)
    text = only.argval if only and only.opname == "LOAD_CONST" and not more else None
    return text if isinstance(text, str) else None


def mistakes(code: CodeType, instructions: Instructions) -> Iterator[Mistake]:
    """The mistakes of one code object, without those of what is in it."""
    looped = _looped(instructions)
    for i, op in enumerate(instructions):
        after = instructions[min(i + 1, len(instructions) - 1)]
        at = line(op)
        if op.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield Mistake(at, f"changes the global {op.argval}", KNOWN)
        elif op.opname in ("STORE_ATTR", "DELETE_ATTR"):
            hint = "keep it in a local variable, or make another named tuple with _replace"
            own = _is_own(code, instructions, i - 1)
            yield Mistake(at, f"changes the attribute {op.argval} of something", hint, own)
        elif op.opname == "IMPORT_NAME":
            yield Mistake(at, f"imports {op.argval}", "import it at the top of the file")
        elif op.opname == "LOAD_BUILD_CLASS":
            yield Mistake(at, "defines a class", "define it at the top of the file")
        elif is_attribute(op) or op.opname == "LOAD_SUPER_ATTR":
            yield from _asks(code, instructions, i, looped)
        elif op.opname == "LOAD_GLOBAL" and op.argval in BY_NAME:
            yield from _named(at, named(instructions, i) or "")
        elif op.opname == "MATCH_CLASS":
            for name in instructions[i - 1].argval:
                yield from _named(at, name)
        elif op.opname == "IS_OP" and not _is_singleton(instructions, i - 1):
            hint = "use ==, or write what is an enum's member, a class or None on the right"
            yield Mistake(at, "asks whether two values are one object", hint)
        elif (op.opname == "BUILD_SET" or _is_unordered(op)) and after.opname != "CONTAINS_OP":
            yield Mistake(at, "makes a set", ORDER)


def _asks(
    code: CodeType, instructions: Instructions, i: int, looped: set[int]
) -> Iterator[Mistake]:
    """Say why an attribute may not be looked up."""
    op, name = instructions[i], instructions[i].argval
    if name in _CONSTRUCTORS:
        own = name == "__init__" == code.co_name and bytecode.is_own_super(instructions, i)
        own = own and not _sets_first(code, instructions)
        yield Mistake(line(op), f"calls {name} by hand", _MADE, own)
    elif name not in _VIEWS or op.offset not in looped:
        yield from _named(line(op), name)


def _named(at: int, name: str) -> Iterator[Mistake]:
    if why := why_not_named(name):
        yield Mistake(at, f"looks at {name}", why)


def _looped(instructions: Instructions) -> set[int]:
    """Offsets at which a view of a dictionary is asked for only to go through it, or to sort it."""
    found = set[int]()
    for i, op in enumerate(instructions):
        if op.opname == "LOAD_GLOBAL" and op.argval in LOOPS:
            made = bytecode.operands(instructions, i) or ()
            found |= {o[-2].offset for o in made if len(o) > 1 and is_call(o[-1], 0)}
            if op.argval == "sorted" and len(made) == 1 and not any(map(_hands_on, made[0])):
                found |= {a.offset for a, b in pairwise(made[0]) if is_call(b, 0)}
        elif op.opname in ("GET_ITER", "CONTAINS_OP", "LIST_EXTEND") and i > 1:
            found |= {instructions[i - 2].offset} if is_call(instructions[i - 1], 0) else set()
    return found


def _hands_on(instruction: Instruction) -> bool:
    """Whether something is called with operands."""
    return instruction.opname.startswith("CALL") and not is_call(instruction, 0)


def _is_singleton(instructions: Instructions, i: int) -> bool:
    """Whether the value that was loaded last is a singleton; for a name, its value decides."""
    value = instructions[i]
    if value.opname != "LOAD_GLOBAL" and not is_attribute(value):
        return value.argval in (None, ...) or isinstance(value.argval, bool)
    while is_attribute(instructions[i]):
        i -= 1
    return instructions[i].opname == "LOAD_GLOBAL"


def _is_unordered(instruction: Instruction) -> bool:
    """Whether a constant set is loaded whose order depends on the hash seed."""
    value = instruction.argval
    return (
        instruction.opname == "LOAD_CONST"
        and isinstance(value, frozenset)
        and not all(isinstance(item, int) for item in value)
    )


def _is_own(code: CodeType, instructions: Instructions, loaded: int) -> bool:
    """Whether it is an attribute of what a constructor makes."""
    op = instructions[loaded]
    return (
        code.co_name == "__init__"
        and op.opname.startswith("LOAD_FAST")
        and _locals(op)[-1] == code.co_varnames[0]
        and not _sets_first(code, instructions)
    )


def _sets_first(code: CodeType, instructions: Instructions) -> bool:
    """Whether a function's first argument may become something else."""
    changed = ("STORE_FAST", "DELETE_FAST")
    return any(
        op.opname.startswith(changed) and code.co_varnames[0] in _locals(op) for op in instructions
    )


def _locals(instruction: Instruction) -> tuple[str, ...]:
    """The local variables that an instruction names: later versions of Python merge two."""
    named = instruction.argval
    return (named,) if isinstance(named, str) else tuple(named)
