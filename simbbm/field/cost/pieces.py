"""What splitting costs piece by piece, measured in timed runs, and put together by exact counts.

A machine of 128 GB has 33 million descriptors. Pieces of its linear map are split event by event on
the real granule: one more level 2 block, a level 1 block up to its first level 2 block, a group of
contiguous entries, a few PTEs of a table. A piece lasts from the load of its entry to that of the
next one, as the walk comes to them (`pagewalk`), so that pieces follow each other without a gap.

Whole runs last as long, but for the places where pieces of different kinds meet: there stores of
the one may still drain when the other waits for them (`tests/field/test_cost_pieces.py`, with the
bound). Simplified: entries that map nothing are not visited (too short, by a load for each).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simbbm.core.system import Move
from simbbm.field.cost.latencies import Setting
from simbbm.field.cost.tables import Blocks, geometry_of
from simbbm.field.cost.timed import (
    AT_ONCE,
    LAZY,
    REVISITED,
    TimedRun,
    step_of,
    timed_model,
    timed_run,
)

PUD_READ = "split_to_ptes_pud_entry.ldr"
PMD_READ = "split_to_ptes_pmd_entry.ldr"
PTE_READ = "split_to_ptes_pte_entry.ldr"
CPUS = 2
"""As many as a split needs: the others are parked, and take no time from it."""
FIRST = 2
"""Pieces before it that a piece is measured behind: their stores drain while it begins."""


class Costs(NamedTuple):
    """A machine that was drawn, and what its runs have in common."""

    times: Mapping[str, int]
    setting: Setting
    jitter: float = 0.0
    seed: bytes = b""


class Pieces(NamedTuple):
    """Picoseconds: of a whole split of one level 2 block, and of what more pieces add."""

    one: int
    """B3 of a linear map that is one level 2 block."""
    pud: int
    """A level 1 entry that points to a table is walked through."""
    split_pud: int
    """A level 1 block becomes a table of level 2 blocks, and is walked through."""
    pmd: int
    """A level 2 block is split."""
    contpmd: int
    """A group of contiguous level 2 blocks becomes plain ones."""
    pte_table: int
    """A table of PTEs is walked through."""
    contpte: int
    """A group of contiguous PTEs becomes plain ones."""

    def split(self, walked: Walked) -> int:
        """All of B3."""
        return (
            self.one
            + (walked.puds - 1) * self.pud
            + walked.split_puds * (self.split_pud - self.pud)
            + (walked.pmds - 1) * self.pmd
            + walked.contpmds * self.contpmd
            + walked.pte_tables * self.pte_table
            + walked.contptes * self.contpte
        )


class Walked(NamedTuple):
    """What the walk comes to, in numbers."""

    puds: int
    """Level 1 entries, blocks or not."""
    split_puds: int
    pmds: int
    """Level 2 blocks, those of split level 1 blocks and of contiguous groups among them."""
    contpmds: int
    pte_tables: int
    contptes: int


def walked(blocks: Blocks, granule: str) -> Walked:
    """What the walk comes to in a linear map of these leaves, in as few tables as hold them."""
    geometry = geometry_of(granule)
    entries, cont_pmds, cont_ptes = geometry.entries, geometry.group(2), geometry.group(3)
    pmds = blocks.contpmd * cont_pmds + blocks.pmd
    tables = -(-(blocks.contpte * cont_ptes + blocks.pte) // entries)
    return Walked(
        puds=blocks.pud + -(-(pmds + tables) // entries),
        split_puds=blocks.pud,
        pmds=blocks.pud * entries + pmds,
        contpmds=blocks.contpmd,
        pte_tables=tables,
        contptes=blocks.contpte,
    )


def measure(granule: str, protocol: str, costs: Costs, wanted: Walked) -> Pieces:
    """Split representative pieces on this granule, event by event: those that are wanted."""
    geometry = geometry_of(granule)
    of = _Measured(granule, AT_ONCE if protocol == AT_ONCE else LAZY, costs)
    blocks = of.run("+".join(["pmd"] * (FIRST + 2)))
    reads = blocks.marks(PMD_READ)
    pud, pmd = reads[0] - blocks.marks(PUD_READ)[0], reads[FIRST + 1] - reads[FIRST]
    split_pud, contpmd, table, contpte, visit, again = pud, 0, 0, 0, 0, 0
    if wanted.split_puds:
        split = of.run("pud", PMD_READ, 1)
        split_pud = split.marks(PMD_READ)[0] - split.marks(PUD_READ)[0]
    if wanted.contpmds:
        group = of.run("contpmd", PMD_READ, 2).marks(PMD_READ)
        contpmd = group[1] - group[0] - pmd
    if wanted.pte_tables or protocol == REVISITED:
        plain = of.run("pages", PTE_READ, FIRST + 2)
        visits = plain.marks(PTE_READ)
        visit = visits[FIRST + 1] - visits[FIRST]
        table = visits[0] - plain.marks(PMD_READ)[0] + geometry.entries * visit
        again = table - visit if protocol == REVISITED else 0
    if wanted.contptes:
        group = of.run("pmd+contpte", PTE_READ, 2).marks(PTE_READ)
        contpte = group[1] - group[0] - visit
    return Pieces(
        one=of.run("pmd").parts()["splitting"] + again,
        pud=pud,
        split_pud=split_pud,
        pmd=pmd + again,
        contpmd=contpmd,
        pte_table=table,
        contpte=contpte,
    )


class _Measured(NamedTuple):
    """Runs of one machine."""

    granule: str
    protocol: str
    costs: Costs

    def run(self, layout: str, step: str = "", times: int = 0) -> TimedRun:
        """Split a linear map of these parts, up to the n-th time of a step of the boot CPU."""
        seen = 0

        def until(move: Move) -> bool:
            nonlocal seen
            seen += step_of(move) == step
            return seen == times

        return timed_run(
            timed_model(self.protocol, CPUS, layout, self.granule),
            self.costs.times,
            self.costs.setting,
            jitter=self.costs.jitter,
            seed=self.costs.seed,
            until=until if step else None,
        )
