"""Which cells a move reads and writes, so that moves that touch different ones commute.

A cell is identified by its kind and a number, never by a name: a scenario may call its words as it
likes. Words of memory have their address, translation tables (as a whole, for whoever walks them)
theirs; `CPU` is all that is a CPU's own, `OWED` what others have not yet completed for it. What a
CPU may hold changes with every store to a table that its walks can come upon, so whatever a CPU
does or holds reads the tables in its view; and a store that links a table reads all tables below,
since what they contain at that moment becomes part of views. A TLB that CPUs have in common is a
cell: who shares it reads it, and writes it by a change to old entries that it has or had.

Each kind of move is written down with its cells in tests/arm64/test_footprints.py.

Simplified: all moves of CPUs that have several instructions in flight share a cell (fewer pairs
commute).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import cast

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, LocalMove
from simbbm.arm64.descriptor import TABLE, Descriptor
from simbbm.arm64.hardware import DRAIN
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.sharing import shares
from simbbm.arm64.translation.translate import READ, translations
from simbbm.core.system import STEP, Cell, Footprint, Move


class Kind(IntEnum):
    """Kinds of cells."""

    WORD = 0
    """A word of memory, by physical address."""
    TABLE = 1
    """A translation table, by physical address."""
    CPU = 2
    """All that is a CPU's own, by its number."""
    OWED = 3
    """TLBIs of a CPU that others have not completed, by its number."""
    TLB = 4
    """A TLB that CPUs have in common, by its number in their features."""
    EVENT = 5
    """The event registers, which SEV sets."""
    INBOX = 6
    """Every CPU's inbox: a broadcast TLBI gives each a move. Moves that are there already commute
    with it."""
    IN_FLIGHT = 7


EVENT: Cell = (Kind.EVENT, 0)
EVERY_INBOX: Cell = (Kind.INBOX, 0)
IN_FLIGHT: Cell = (Kind.IN_FLIGHT, 0)


def own_cell(cpu: int) -> Cell:
    """The cell of all that is a CPU's own."""
    return Kind.CPU, cpu


def is_own(cell: Cell) -> bool:
    """Whether only one CPU's own moves touch a cell, or are told otherwise who waits for whom."""
    return cell[0] in (Kind.CPU, Kind.OWED)


def footprint(
    shared: Shared, state: CpuState, memory: Memory, move: LocalMove, cpu: int
) -> Footprint:
    """Cells of a move of CPU `cpu` in this state."""
    reads = {own_cell(cpu), *((Kind.WORD, address) for address in move.reads)}
    reads.update((Kind.OWED, issuer) for issuer in move.completes)
    writes = {own_cell(cpu)}
    effect = move.effect
    if effect.write:
        address, words = effect.write
        writes |= {(Kind.WORD, address + i) for i in range(len(words))}
        base = shared.geometry.table(address)
        if base in memory.tables.by_address:
            writes.add((Kind.TABLE, base))
            # Tables hold descriptors and nothing else (`mistakes.check_fits`).
            reads.update(_below(memory, cast("tuple[Descriptor, ...]", words)))
            if not shared.hardware.walk_cache:
                # Whoever held the old table keeps what it says now, and no walk starts there.
                entries = memory.tables.by_address[base].entries
                reads.update(_below(memory, entries[address - base :][: len(words)]))
    # A drain looks at no translation; but by R17b it may end early faults, which tables cause.
    if move.kind != DRAIN or state.features.ets2:
        for before_or_after in (state, effect.cpu):
            reads.update(tables_in_view(shared, before_or_after, memory))
    if state.features.tlb:
        both = [mmu for mmu in (state.mmu, effect.cpu.mmu) if shares(mmu.regime)]
        if both:
            reads.add((Kind.TLB, state.features.tlb))
        # What walks from the tables imply, everybody has anyway.
        if effect.cpu.mmu is not state.mmu and any(mmu.tables or mmu.leaves for mmu in both):
            writes.add((Kind.TLB, state.features.tlb))
    if effect.sev:
        writes.add(EVENT)
    if effect.tlbi and not shared.hardware.late_tlbis:
        writes |= {(Kind.TABLE, base) for base in memory.tables.by_address}
    if effect.tlbi and effect.tlbi.broadcast:
        writes.add(EVERY_INBOX)
    if state.flight is not None:
        writes.add(IN_FLIGHT)
    if move.kind == STEP:
        reads.update(_listens_to(state))
        if state.mnemonic.startswith(("dsb", "tlbi")):
            writes.add((Kind.OWED, cpu))
    return Footprint(frozenset(reads), frozenset(writes))


def _below(memory: Memory, descriptors: Iterable[Descriptor]) -> Iterable[Cell]:
    """Cells of the tables that some descriptors lead to, directly or by other tables."""
    tables = memory.tables.by_address
    waiting = [d.output for d in descriptors if d.kind == TABLE]
    met = set[int]()
    while waiting:
        base = waiting.pop()
        if base not in met and base in tables:
            met.add(base)
            waiting += [child for _, child in tables[base].children]
    return [(Kind.TABLE, base) for base in met]


def _listens_to(state: CpuState) -> Iterable[Cell]:
    """Cells by which others may wake a WFE or make a store-exclusive fail."""
    if state.mnemonic == "wfe":
        yield EVENT
    if state.monitor != NOTHING:
        yield Kind.WORD, state.monitor


def cpu_footprint(
    shared: Shared, state: CpuState, memory: Memory, moves: Iterable[Move], cpu: int
) -> Footprint:
    """Cells of a whole CPU in this state: of all its `moves`, and of what could give it more.

    That is what it holds, TLBIs that may arrive, and what a program that waits is waiting for.
    """
    reads = {own_cell(cpu), EVERY_INBOX}
    if state.flight is not None:
        reads.add(IN_FLIGHT)
    reads.update(tables_in_view(shared, state, memory), _listens_to(state))
    if state.features.tlb and shares(state.mmu.regime):
        reads.add((Kind.TLB, state.features.tlb))
    writes: set[Cell] = set()
    for move in moves:
        reads |= move.footprint.reads
        writes |= move.footprint.writes
    op = state.point.op
    if op is not None and op.mnemonic.startswith("wait"):
        reads.update(_awaited(shared, state, memory, op.args[0]))
    return Footprint(frozenset(reads), frozenset(writes))


def _awaited(shared: Shared, state: CpuState, memory: Memory, address: int) -> Iterable[Cell]:
    """The words that a poll of an address may look at, by any translation that it may get."""
    page, word = divmod(address, shared.geometry.page_words)
    for t in translations(shared, state, memory, page, READ):
        if not t.fault:
            yield Kind.WORD, t.page * shared.geometry.page_words + word


def tables_in_view(shared: Shared, state: CpuState, memory: Memory) -> Iterable[Cell]:
    """Cells of the tables that walks of this CPU can come upon."""
    if shared.hardware.closure:
        bases: Iterable[int] = shared.view(state, memory).table_addresses()
    else:
        bases = memory.tables.by_address
    return [(Kind.TABLE, base) for base in bases]
