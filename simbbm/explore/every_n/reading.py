"""What a CPU may find in a counter that its next step reads: each way in which it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.view import Hit
from simbbm.core.programs.symbols import Added, Linear, Seen
from simbbm.explore.every_n.abstraction import Abstraction, Local
from simbbm.explore.every_n.counting import Count, Refused

ATOMICS = ("ldaddal",)
EXCLUSIVES = ("stxr", "stlxr")
LOADS = ("ldr", "ldar", "ldapr", "ldxr", "ldaxr", "wait", "wait.acquire")
STORES = ("str", "stlr")

Guesses = Mapping[str, frozenset[str]]
"""With which other readings of the counter a reading is compared, by the labels of the steps."""


class World(NamedTuple):
    """One way in which what a CPU reads next can be."""

    memory: dict[int, Any]
    """What counters hold."""
    c: int = -1
    """The counter that the step accesses."""
    answers: tuple[bool, ...] | None = None
    """Of an atomic: what holds afterwards."""
    loaded: bool = False
    """The step is a load."""


NOTHING_READ = World({})


class Reading:
    """What steps read from counters."""

    def __init__(self, abstraction: Abstraction, guesses: Guesses) -> None:
        self.abstraction = abstraction
        self.guesses = guesses
        self.kept = frozenset().union(*guesses.values())
        """Labels of readings that are compared with later ones."""

    def worlds(
        self, counts: tuple[Count, ...], local: Local, state: Machine, number: int
    ) -> Iterator[World]:
        """What the next step of a CPU may find."""
        pe = state.cpus[number]
        c = self._counter_of(pe, state)
        op = pe.point.op
        if c is None or op is None:
            yield NOTHING_READ
        elif op.mnemonic in ATOMICS:
            yield from self._atomic(pe, c)
        elif op.mnemonic in LOADS:
            yield from self._load(counts[c], local, pe, c)
        elif op.mnemonic in (*EXCLUSIVES, *STORES):
            yield World({}, c)
        else:
            raise Refused(f"{pe.point.where}: {op.mnemonic} of a counter (take ldaddal, or stxr)")

    def _load(self, count: Count, local: Local, pe: CpuState, c: int) -> Iterator[World]:
        counting, at = self.abstraction.counting, pe.point.full_label
        answers = self._answers(c, count.answers)
        others = sorted(self.guesses.get(at, ()))
        ways = [(True,) if (c, other) in local.fresh else (True, False) for other in others]
        for guess in product(*ways):
            guesses = tuple(zip(others, guess, strict=True))
            called = counting.calling_of(c, local.shares)
            seen = Seen(counting.counters[c].name, at, answers, guesses, called)
            yield World({counting.addresses[c]: seen}, c, loaded=True)

    def _atomic(self, pe: CpuState, c: int) -> Iterator[World]:
        """The old value is the new one, of which it is known who has been counted, less the sum.

        Which answers are possible is looked at where it is known who the others are (`writing`).
        """
        counting, at = self.abstraction.counting, pe.point.full_label
        assert pe.point.op is not None
        by, name = pe.point.op.args[1], counting.counters[c].name
        if type(by) is not int:
            raise Refused(f"{pe.point.where}: an atomic adds something that is no int to {name}")
        for answers in product((True, False), repeat=len(counting.targets[c])):
            old = Added(Seen(name, at, self._answers(c, answers)), -by)
            yield World({counting.addresses[c]: old}, c, answers)

    def _answers(self, c: int, answers: tuple[bool, ...]) -> tuple[tuple[Linear, bool], ...]:
        targets = (Linear(*target) for target in self.abstraction.counting.targets[c])
        return tuple(zip(targets, answers, strict=True))

    def _counter_of(self, pe: CpuState, state: Machine) -> int | None:
        """The counter that the next operation of a program accesses."""
        instruction = decoded(pe.point) if pe.point.op is not None else None
        if instruction is None or not instruction.rule.access:
            return None
        words = {instruction.address}
        if not instruction.physical:
            geometry = self.abstraction.system.spec.geometry
            page = geometry.page(instruction.address)
            hits = self.abstraction.system.shared.view(pe, state.memory).lookup(page)
            pages = {hit.page for hit in hits if isinstance(hit, Hit)}
            offset = instruction.address % geometry.page_words
            words = {page * geometry.page_words + offset for page in pages}
        counters = [self.abstraction.at[word] for word in sorted(words & {*self.abstraction.at})]
        if counters and len(words) > 1:
            raise Refused(f"{pe.point.where}: it may access {len(words)} words, one a counter")
        return counters[0] if counters else None
