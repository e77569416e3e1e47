"""The instruction side: what a fetch may get of text that has changed (R27).

An instruction cache is not coherent with stores. A word of text (`Description.text`) that is stored
to may be executed as it was, by every CPU, until an IC for it has acted there; what was fetched
before that is executed until the CPU's next context synchronisation event (`Stale.fetched`). As for
a TLB, a CPU has everything that its cache may have held: no fill needs a move of its own.

IC is issued, acts and completes as a TLBI does (`Pending`), and only a DSB waits for it.

Simplified: data caches are clean to the point of unification (CTR_EL0.IDC; misses a missing DC
CVAU); an IC IVAU is for one word (a cache line has more: cries wolf); caches are empty at reset
(misses); a program fetches where it says so (`Cpu.fetch`), other instructions are what they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from simbbm.arm64.geometry import Geometry
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.tlb import LeafEntry, TableEntry

IC_OPS = ("iallu", "ialluis", "ivau")


class Ic(NamedTuple):
    """An instruction cache invalidation: IALLU, IALLUIS, or IVAU of one word of memory."""

    op: str
    word: int | None = None

    @property
    def broadcast(self) -> bool:
        """Whether it is for all CPUs: IALLU alone is for this one."""
        return self.op != "iallu"

    def matches(self, word: int) -> bool:
        """Whether the word is invalidated."""
        return self.word is None or self.word == word

    def matches_table(self, entry: TableEntry, geometry: Geometry) -> bool:  # noqa: ARG002
        """No translation is invalidated (as `Tlbi.matches_table`)."""
        return False

    def remainder(self, entry: LeafEntry, geometry: Geometry) -> tuple[LeafEntry, ...]:  # noqa: ARG002
        """No translation is invalidated (as `Tlbi.remainder`)."""
        return (entry,)


class Stale(NamedTuple):
    """A word of text as it was, which may still be executed."""

    word: int
    value: int
    fetched: bool = False
    """No cache has it any more, but it was fetched since the last synchronisation."""


Text = tuple[Stale, ...]


def stored(
    text: Text, words: frozenset[int], before: Memory, write: tuple[int, tuple[Any, ...]]
) -> Text:
    """What a CPU may execute besides what memory holds, once a store has reached memory."""
    address, values = write
    changed = [
        Stale(word, before.data.get(word, 0))
        for word, value in enumerate(values, address)
        if word in words and value != before.data.get(word, 0)
    ]
    return _ordered((*text, *changed)) if changed else text


def ic_acted(text: Text, ic: Ic) -> Text:
    """Once an IC has acted: what was fetched by then may still be executed."""
    return _ordered(s._replace(fetched=s.fetched or ic.matches(s.word)) for s in text)


def synchronised(text: Text) -> Text:
    """After a context synchronisation event: what a cache has not is fetched anew."""
    return tuple(s for s in text if not s.fetched) if text else text


def _ordered(text: Iterable[Stale]) -> Text:
    """Each value of a word once; what a cache may hold may have been fetched as well."""
    kept: dict[tuple[int, int], Stale] = {}
    for stale in sorted(text, key=lambda s: s.fetched):
        kept.setdefault(stale[:2], stale)
    return tuple(sorted(kept.values()))
