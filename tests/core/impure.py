"""Programs that look at something else than what they have observed, each in another way."""

# ruff: noqa: F401, RUF012

from __future__ import annotations

import contextvars
import functools
import gc
import inspect
import itertools
import os
import random
import re
import sys
import threading
import time
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple, Self

from simbbm.core.program import repeat_until, routine
from tests.core.mistakes import Handle

NOTES: list[int] = []
TABLE = {"calls": 0}
SEEN: set[int] = set()
BUFFER = bytearray(1)
QUEUE: deque[int] = deque()
COUNTS: Counter[str] = Counter()
MADE: defaultdict[str, int] = defaultdict(int)
NUMBERS = itertools.count()
DICE = random.Random(1)
CONTEXT = contextvars.ContextVar("note", default=0)
LOCAL = threading.local()
SPACE = SimpleNamespace(v=0)
NAMES = frozenset(("a", "b"))
BOUND = NOTES.append
COPIES = (1, ("deep", [2]))
calls = 0


def generated() -> Iterator[int]:
    yield from range(100)


GENERATOR = generated()


class Box:
    """An object with a field."""

    v = 0
    notes: list[int] = []

    def __init__(self) -> None:
        self.own = 0


BOX = Box()
WEAK = weakref.ref(BOX)


class Private:
    """A class with a list that is nobody's business."""

    _notes: list[int] = []


lazy = ModuleType("lazy")
lazy.__getattr__ = NOTES.__getitem__  # type: ignore[method-assign, assignment]


class Shared(NamedTuple):
    """Frozen, but its class is not."""

    number: int

    def note(self) -> int:
        return len(Box.notes)


class Kept(NamedTuple):
    """Its method looks at a global."""

    number: int

    def note(self) -> int:
        return len(NOTES)


class Colour(Enum):
    """An enum with a list in it."""

    RED = [1]


@dataclass(frozen=True)
class Frozen:
    """Frozen, but what it holds is not."""

    notes: Any = ()

    def hide(self) -> Frozen:
        object.__setattr__(self, "hidden", [1])
        return self


@dataclass(frozen=True, slots=True)
class Slotted:
    """Frozen, without a __dict__."""

    notes: Any = ()


@dataclass(frozen=True)
class Numbered:
    """Each gets another number."""

    number: int = field(default_factory=NUMBERS.__next__)


class Counted:
    """Its class counts."""

    count = 0

    def __new__(cls) -> Self:
        cls.count = 1
        return super().__new__(cls)


FULL, SLOTTED = Frozen([]), Slotted([])


def closure() -> tuple[Callable[[], int], Callable[[], None]]:
    count = 0

    def read() -> int:
        return count

    def write() -> None:
        nonlocal count
        count += 1

    return read, write


read_cell, write_cell = closure()


@functools.cache
def remembered() -> list[int]:
    return []


def noted(value: int, notes: list[int] = []) -> int:  # noqa: B006
    notes.append(value)
    return len(notes)


async def tagged(cpu: Handle) -> None:
    await cpu.op(tagged.v)  # type: ignore[attr-defined]


tagged.v = 0  # type: ignore[attr-defined]


async def counts_in_a_global(cpu: Handle) -> None:
    global calls  # noqa: PLW0603
    calls += 1
    await cpu.op(calls)


async def writes_through_a_module(cpu: Handle) -> None:
    sys.modules[__name__].calls = 1  # type: ignore[attr-defined]
    await cpu.op(1)


async def writes_an_attribute(cpu: Handle) -> None:
    inspect.calls = 1  # type: ignore[attr-defined]
    await cpu.op(1)


async def writes_a_class(cpu: Handle) -> None:
    Box.v += 1
    await cpu.op(Box.v)


async def writes_a_function(cpu: Handle) -> None:
    closure.mark = 1  # type: ignore[attr-defined]
    await cpu.op(1)


async def writes_by_name(cpu: Handle) -> None:
    setattr(Box, "v", 1)  # noqa: B010
    await cpu.op(1)


async def writes_globals(cpu: Handle) -> None:
    globals()["calls"] = 1
    await cpu.op(1)


async def asks_by_name(cpu: Handle) -> None:
    await cpu.op(len(getattr(closure, "__dict__")))  # noqa: B009


async def looks_inside(cpu: Handle) -> None:
    await cpu.op(len(closure.__globals__))


async def hides_a_list(cpu: Handle) -> None:
    await cpu.op(len(Frozen.hide(Frozen()).notes))


async def imports(cpu: Handle) -> None:
    import time as clock

    await cpu.op(clock.time_ns())


async def defines_a_class(cpu: Handle) -> None:
    class Own:
        v = 0

    await cpu.op(Own.v)


async def prints(cpu: Handle) -> None:
    print("here")  # noqa: T201
    await cpu.op(1)


async def inner_turn(cpu: Handle, _turn: int) -> bool:
    return await helps(cpu)


async def helps(cpu: Handle) -> bool:
    await cpu.op(1)
    return bool(NOTES)


async def in_a_loop(cpu: Handle) -> None:
    await repeat_until(inner_turn, cpu, 1)


@routine
async def framed(cpu: Handle) -> int:
    return int(await cpu.op(len(NOTES)))


async def in_a_routine(cpu: Handle) -> None:
    await framed(cpu)


async def as_a_value(cpu: Handle) -> None:
    await cpu.op(is_noted)


def is_noted(value: int) -> bool:
    return value in NOTES


async def in_a_lambda(cpu: Handle) -> None:
    await cpu.op(max(1, 2, key=lambda n: n + len(NOTES)))


async def in_a_comprehension(cpu: Handle) -> None:
    await cpu.op(*[n for n in range(2) if n in NOTES])


def looks_at(expression: str) -> Any:
    """A program that looks at this."""
    name = "looks_at_" + "".join(c if c.isalnum() else "_" for c in expression)
    text = f"async def {name}(cpu):\n    await cpu.op(1)\n    await cpu.op({expression})\n"
    exec(compile(text, __file__, "exec"), globals())
    return globals()[name]


EXPRESSIONS = [
    e.strip()
    for e in re.split(
        r"[|\n]",
        """
len(NOTES) | TABLE["calls"] | len(SEEN) | len(BUFFER) | len(QUEUE) | COUNTS["a"] | MADE["a"]
next(NUMBERS) | next(GENERATOR) | DICE.random() | random.random() | random.randint(1, 2)
time.time() | time.monotonic_ns() | os.getpid() | os.environ.get("HOME") | os.urandom(1)
id(cpu) | hash("x") | open("/") | input() | vars(BOX) | len(globals()) | len(locals()) | dir()
eval("1") | CONTEXT.get() | LOCAL.v | WEAK().v | BOX.v | BOX.own | SPACE.v | COPIES[0]
Shared(1).note() | Kept(1).note() | Colour.RED.name | FULL.notes | SLOTTED.notes
Numbered().number | Counted().count | max({len("a"), 1}) | noted(1) | len(remembered())
read_cell() | write_cell() | sys._getframe().f_lineno | inspect.stack() | BOUND(1)
len(list(NAMES))
[n for n in {"a", "b"}][0] | len(set()) | Frozen().__dict__ | noted.__defaults__ | sys.modules
__file__ | sys.platform | sys.maxsize | os.sep | lazy.computed | Private._notes
__builtins__ | len(gc.get_objects()) | (lambda: len(NOTES))() | cpu.op.__globals__
""",
    )
    if e.strip()
]


def __init__(target: Any, value: int) -> None:  # noqa: N807 - no constructor of anything
    """What is called like a constructor may not do what one does."""
    target.note = value


async def calls_what_is_named_like_a_constructor(cpu: Any) -> None:
    __init__(helps, await cpu.op())


async def formats(cpu: Any) -> None:
    await cpu.op("{.__globals__}".format(helps))  # noqa: UP032


async def registers(cpu: Any) -> None:
    Sized.register(Box)
    await cpu.op()


WRITTEN = tuple(
    value
    for name, value in sorted(vars().items())
    if isinstance(value, FunctionType)
    and value.__code__.co_flags & inspect.CO_COROUTINE
    and value not in (inner_turn, helps)
)
"""Programs that are written out above."""
