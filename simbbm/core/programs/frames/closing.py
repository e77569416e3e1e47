"""Whether a coroutine that is closed where it waits runs code of its author's.

Closing raises GeneratorExit where the coroutine is suspended. Only a `try` or a `with` around that
place runs code then; without one the coroutine ends in silence, and need not be closed to see it.
"""

from __future__ import annotations

import dis
import inspect
from functools import cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

_COMPILERS = ("CLEANUP_THROW", "CALL_INTRINSIC_1")
"""First instructions of handlers that the compiler adds, from Python 3.12 on: they end an await,
and tell a StopIteration that leaves a coroutine from its return."""


class _Handlers(NamedTuple):
    """The handlers of a code object, with the offsets of the instructions that each is for."""

    ranges: tuple[tuple[int, int, int], ...]
    """Begin, end and handler."""
    compilers: frozenset[int]
    """Handlers that are not the author's."""


def runs_code(coroutine: Any) -> bool:
    """Whether closing a suspended coroutine may run code of its author's."""
    while inspect.iscoroutine(coroutine):
        if _is_handled(coroutine.cr_code, coroutine.cr_frame):
            return True
        coroutine = coroutine.cr_await
    # What is awaited in the end is the generator of `core/program.py:Request`.
    generated = inspect.isgenerator(coroutine)
    return not generated or _is_handled(coroutine.gi_code, coroutine.gi_frame)


def _is_handled(code: CodeType, frame: FrameType | None) -> bool:
    return frame is None or _reaches_handler(code, frame.f_lasti)


@cache
def _reaches_handler(code: CodeType, offset: int) -> bool:
    """Whether a handler of the author's is reached when an instruction raises."""
    handlers = _handlers(code)
    while True:
        found = [handler for begin, end, handler in handlers.ranges if begin <= offset < end]
        if not found:
            return False
        if found[0] not in handlers.compilers:
            return True
        offset = found[0]  # It raises again, where a handler of the author's may be.


@cache
def _handlers(code: CodeType) -> _Handlers:
    made: Any = dis.Bytecode(code)
    first = {i.offset: i.opname for i in made}
    ranges = tuple((e.start, e.end, e.target) for e in made.exception_entries)
    compilers = frozenset(target for *_, target in ranges if first[target] in _COMPILERS)
    return _Handlers(ranges, compilers)
