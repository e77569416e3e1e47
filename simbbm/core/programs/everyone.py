"""What scenarios and programs say of all CPUs, however many: counters, turns, numbers.

With an int for the number of CPUs these are what they look like. In a proof for every number of
CPUs (`explore/every_n/`) there is the symbol N in its place (`symbols`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from simbbm.core.programs.symbols import (
    Batch,
    EachOther,
    Linear,
    N,
    Symbol,
    is_running,
    refuse,
    shielded,
)

_seats = [0]
"""How many CPUs stand for all: while a proof's machine is built (`seated`)."""


class Counter(NamedTuple):
    """A word that all CPUs count in, for proofs for every number of CPUs (`Setup.counters`).

    It is stored to with absolute values, and changed by atomics and by pairs of exclusives.
    """

    name: str
    announces: int | None = None
    """The physical address of a word that whoever brings the count to 0 writes thereafter."""
    calls: int | None = None
    """The physical address of the counter whose old values are tickets. This one is then written by
    the boot CPU alone, in turns over `each_other`, and calls the holders of its old values."""


def each_other(cpus: Any) -> Iterable[Any]:
    """1, 2, ... `cpus` - 1: one turn for each CPU but the first.

    A loop over it may do one thing: store to a counter what it held before, plus the number of the
    turn. So it is one loop for every number of CPUs.
    """
    if type(cpus) is int:
        return range(1, cpus)
    if type(cpus) is not Linear or cpus is not N:
        refuse("each_other() of something that is not the number of CPUs", "pass num_online_cpus")
    return Turns()


class Turns(Symbol):
    """A loop over `each_other`: one turn stands for all, if all that it does is one store."""

    __slots__ = ()

    def _said(self) -> str:
        return "the loop over each_other()"

    def __iter__(self) -> Iterator[EachOther]:
        sends = Sends.now
        sends.open.append(sends.count)
        sends.in_turn = True
        yield EachOther()
        if sends.open.pop() != sends.count - 1 or not _stores_batch(sends.answered):
            shielded(self, "doing something else than one store of a counter and the turn")


class Sends:
    """What a frame has been answered, to hold its loops over `each_other` to one store."""

    now: ClassVar[Sends]
    """Those of the frame that runs."""

    def __init__(self) -> None:
        self.count = 0
        self.open: list[int] = []
        """When loops that go on began."""
        self.in_turn = False
        """A turn has begun, and its store is not asked for yet."""
        self.answered: Any = None
        """The request that is being answered."""

    def before(self) -> None:
        """The frame is about to run."""
        Sends.now = self
        self.count += 1

    def after(self, request: Any) -> None:
        """It has asked for this, or has ended (None)."""
        self.in_turn = False
        if self.open and (request is None or self.open[0] < self.count):
            self.open.clear()
            shielded(Turns(), "left early")
        self.answered = request

    def require_no_code(self, name: str) -> None:
        """Refuse code of authors that a turn calls: a method may count the turns."""
        if self.in_turn:
            self.in_turn = False
            shielded(Turns(), f"calling {name}")


def _stores_batch(request: Any) -> bool:
    """Whether a request is for one store of the turn to a counter."""
    op = getattr(request, "op", None)
    return op is not None and op.mnemonic in ("str", "stlr") and type(op.args[1]) is Batch


def cpu_numbers(cpus: Any) -> range:
    """The numbers of all `cpus`, to build a Setup; for every number of CPUs those of a few."""
    if type(cpus) is not Linear:
        return range(cpus)
    if is_running():
        refuse("cpu_numbers() in a program", "a program is the same for every number of CPUs")
    return range(_seats[0])


@contextmanager
def seated(seats: int) -> Iterator[None]:
    """While a machine is built in which so many CPUs stand for all."""
    before, _seats[0] = _seats[0], seats
    try:
        yield
    finally:
        _seats[0] = before
