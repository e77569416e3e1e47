"""What programs may not do, since it tells N from an int, or counts CPUs, where no symbol notices.

Symbols refuse whatever is asked of them (`core/programs/symbols.py`). Some questions are not asked
of them, and are looked for in the code of all that a program can reach (`purity`):

* `type`, by value, whatever name it has; `__class__`, which leads to it; names for getattr();
* exceptions of Python's own: deque((), 4) is a deque, deque((), N) is a TypeError, and its text has
  the name of a type in it. Exceptions that a program raises itself may be caught;
* turns of a loop over `each_other`, which is taken once for all CPUs: what is counted beside the
  store, the length of a list of its results.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from simbbm.core.points import Programs
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.bytecode import Instruction, instructions_of, is_call
from simbbm.core.programs.code import scan
from simbbm.core.programs.everyone import each_other
from simbbm.core.programs.mistakes import BY_NAME
from simbbm.core.programs.purity import Purity
from simbbm.core.programs.trusted import of_python

_CLASS = "__class__"
_PLAIN = (
    *("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_CONST", "LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD"),
    *("LOAD_FAST_LOAD_FAST", "LOAD_FAST_BORROW_LOAD_FAST_BORROW", "GET_AWAITABLE", "SEND"),
    *("YIELD_VALUE", "RESUME", "JUMP_BACKWARD_NO_INTERRUPT", "END_SEND", "POP_TOP"),
)
"""Instructions of a turn that change nothing but the stack, beside its one call and its sum."""


def refusal(programs: Programs) -> str | None:
    """Why the programs that were looked at cannot be proved for every N; None if they can."""
    if not isinstance(programs, Automaton):
        return "its programs are machine code (explore proves it for a number of CPUs)"
    return looked_at(programs.purity)


def looked_at(purity: Purity) -> str | None:
    """Why these functions cannot be proved for every N; None if they can."""
    if purity.reaches(type):
        return "a program asks for the type() of something (a symbol has another than an int)"
    if any(reached.function is each_other for reached in purity.values):
        return "each_other is passed on (write a loop over each_other(n))"
    found = (why for function in purity.functions for why in _of(purity, function))
    return next(found, None)


def _of(purity: Purity, function: FunctionType) -> Iterator[str]:
    """What one function does."""
    code, name = function.__code__, function.__name__
    scanned = scan(code)
    if _CLASS in scanned.words or any(method.name == _CLASS for method in scanned.methods):
        yield f"{name} asks for the __class__ of something (a symbol has another than an int)"
    if any(looked_up.path[0] in BY_NAME for looked_up in scanned.names):
        yield f"{name} asks for attributes by name (an int has others than a symbol)"
    if any(not _is_own(function, caught) for caught in _caught(code)):
        yield (
            f"{name} catches exceptions of Python's (which tell symbols from ints: catch one by "
            "one such as the program raises itself)"
        )
    uses = [r for r in purity.functions[function] if r.function is each_other]
    if uses and (any(not use.called for use in uses) or len(uses) > _loops(code)):
        yield (
            f"{name} has a loop over each_other() in which there is more than one plain store "
            "(write: for n in each_other(cpus): await cpu.stlr(address, value + n))"
        )


def _caught(code: CodeType) -> Iterator[tuple[str, ...]]:
    """The name of the exception that each handler catches; none, if it is something else."""
    instructions = instructions_of(code)
    for i, instruction in enumerate(instructions):
        if instruction.opname != "PUSH_EXC_INFO":
            continue
        path = []
        for op in instructions[i + 1 :]:
            if op.opname not in ("LOAD_GLOBAL", "LOAD_ATTR"):
                break
            path.append(op.argval)
        checks = instructions[i + 1 + len(path)].opname == "CHECK_EXC_MATCH"
        yield tuple(path) if checks else ()
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _caught(const)


def _is_own(function: FunctionType, path: tuple[str, ...]) -> bool:
    """Whether a name stands for an exception that authors made."""
    value: Any = None
    space: Any = function.__globals__
    for part in path:
        value = space.get(part)
        space = getattr(value, "__dict__", {})
    return isinstance(value, type) and not of_python(value.__module__)


def _loops(code: CodeType) -> int:
    """How many loops over each_other() there are of which a turn is one store, and leaves nothing.

    A turn is: the number is kept, a method is called with a sum of two local variables, and what it
    returns is awaited and dropped.
    """
    instructions = instructions_of(code)
    found = 0
    for i, instruction in enumerate(instructions):
        if instruction.opname != "FOR_ITER":
            continue
        end = next((n for n, op in enumerate(instructions) if op.offset >= instruction.argval), 0)
        turn = instructions[i + 1 : end]
        begins = instructions[i - 1].opname == "GET_ITER" and is_call(instructions[i - 2], 1)
        found += begins and _is_one_store(turn)
    return found


def _is_one_store(turn: list[Instruction]) -> bool:
    while turn and turn[-1].opname in ("END_FOR", "POP_ITER"):
        turn = turn[:-1]
    if len(turn) < 3 or turn[0].opname != "STORE_FAST" or turn[-1].opname != "JUMP_BACKWARD":
        return False
    special = [n for n, op in enumerate(turn[1:-1], 1) if op.opname not in _PLAIN]
    names = [turn[n].opname for n in special]
    if names[:2] != ["BINARY_OP", "CALL"] or any(n != "CLEANUP_THROW" for n in names[2:]):
        return False
    return turn[special[0]].argrepr == "+" and is_call(turn[special[1]], 2)
