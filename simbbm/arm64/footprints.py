"""Which cells a move reads and writes, so that moves that touch different ones commute.

A cell is identified by its kind and a number, never by a name: a scenario may call its words as it
likes. Words of memory have their address, translation tables (each as a whole, since walks read any
entry) theirs; `CPU` is the private state of a CPU, `OWED` its TLBIs that other CPUs have not
completed. What a CPU may hold changes with every store to a table that its walks can reach, so
every move of a CPU reads the tables in its view; and a store that links a table reads all tables
below, since what they contain at that moment becomes part of views. A shared TLB (CnP) is a cell:
CPUs that share it read it, and write it when their stale entries change. Stores to tables write it
too: a CPU that walks the table, by a root that is not common, may come to hold what it said.

Each kind of move is written down with its cells in tests/arm64/test_footprints.py.

Simplified: all moves of CPUs that have several instructions in flight share a cell (fewer pairs
commute).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import cast

from simbbm.arm64.agents import DRAIN
from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, ON, CpuState, LocalMove
from simbbm.arm64.descriptor import TABLE, Descriptor
from simbbm.arm64.platform.power import RESET
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.optional.cnp import shares
from simbbm.arm64.translation.translate import READ, translations
from simbbm.core.system import STEP, Cell, Footprint, Move


class Kind(IntEnum):
    """Kinds of cells."""

    WORD = 0
    """A word of memory, by physical address."""
    TABLE = 1
    """A translation table, by physical address."""
    CPU = 2
    """The private state of a CPU, by its number."""
    OWED = 3
    """TLBIs of a CPU that others have not completed, by its number."""
    TLB = 4
    """A TLB that CPUs share, by its number in their features."""
    EVENT = 5
    """The event registers, which SEV sets."""
    PENDING_TLBIS = 6
    """Every CPU's pending TLBIs: a broadcast TLBI adds one to each, and commutes with those
    pending."""
    IN_FLIGHT = 7
    SGI = 8
    """Every CPU's pending SGIs. One cell, as CPUs that are alike change places."""


EVENT: Cell = (Kind.EVENT, 0)
EVERY_PENDING_TLBIS: Cell = (Kind.PENDING_TLBIS, 0)
IN_FLIGHT: Cell = (Kind.IN_FLIGHT, 0)
EVERY_SGI: Cell = (Kind.SGI, 0)


def own_cell(number: int) -> Cell:
    """The cell of a CPU's private state."""
    return Kind.CPU, number


def is_own(cell: Cell) -> bool:
    """Whether only one CPU's own moves touch a cell.

    (Who waits for whose TLBIs is found separately.)
    """
    return cell[0] in (Kind.CPU, Kind.OWED)


def footprint(
    shared: Shared, state: CpuState, memory: Memory, move: LocalMove, number: int
) -> Footprint:
    """Cells of a move of CPU `number` in this state."""
    reads = {own_cell(number), *((Kind.WORD, address) for address in move.reads)}
    reads.update((Kind.OWED, issuer) for issuer in move.completes)
    writes = {own_cell(number)}
    effect = move.effect
    if effect.write:
        address, words = effect.write
        writes |= {(Kind.WORD, address + i) for i in range(len(words))}
        base = shared.geometry.table(address)
        if base in memory.tables.by_address:
            writes.add((Kind.TABLE, base))
            # Whoever walks this table may come to hold what it said, for others to use.
            writes.update((Kind.TLB, number) for number in shared.tlbs)
            # Tables hold descriptors and nothing else (`decoding.check_fits`).
            reads.update(_below(memory, cast("tuple[Descriptor, ...]", words)))
            if not shared.hardware.walk_cache:
                # Whoever held the old table keeps what it says now, and no walk starts there.
                entries = memory.tables.by_address[base].entries
                reads.update(_below(memory, entries[address - base :][: len(words)]))
    # A drain looks at no translation; but by R17b it may end early faults, which tables cause.
    if move.kind != DRAIN or state.features.ets2:
        for before_or_after in (state, effect.after):
            reads.update(tables_in_view(shared, before_or_after, memory))
    if state.features.tlb:
        both = [mmu for mmu in (state.mmu, effect.after.mmu) if shares(mmu.regime)]
        if both:
            reads.add((Kind.TLB, state.features.tlb))
        # What walks of the current tables imply, every CPU that shares them has anyway.
        change = _shared_entries(state.mmu) != _shared_entries(effect.after.mmu)
        if change and any(mmu.tables or mmu.leaves for mmu in both):
            writes.add((Kind.TLB, state.features.tlb))
    if shared.text:
        # A store to text changes what every CPU may execute, and so do an IC and an ISB.
        text = {(Kind.WORD, word) for word in shared.text}
        reads |= text
        if effect.tlbi and not shared.hardware.late_tlbis:
            writes |= text
    if effect.sev:
        writes.add(EVENT)
    if effect.signal or state.sgis != effect.after.sgis:
        writes.add(EVERY_SGI)
    if effect.tlbi and not shared.hardware.late_tlbis:
        writes |= {(Kind.TABLE, base) for base in memory.tables.by_address}
    if effect.tlbi and effect.tlbi.broadcast:
        writes.add(EVERY_PENDING_TLBIS)
    if state.flight is not None:
        writes.add(IN_FLIGHT)
    if move.kind in (STEP, RESET):
        reads.update(_listens_to(state))
    if move.kind == STEP and state.mnemonic.startswith(("dsb", "tlbi", "ic.")):
        writes.add((Kind.OWED, number))
    return Footprint(frozenset(reads), frozenset(writes))


def _shared_entries(mmu: Mmu) -> tuple[object, ...]:
    """What others may use of an MMU: compared by value, as pools may have been dropped since."""
    return mmu.regime, mmu.tables, mmu.leaves


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
    """Cells by which others may wake its WFE, or would if it were on, or end its exclusive."""
    if state.mnemonic == "wfe" or state.power != ON:
        yield EVENT
    if state.mnemonic == "wfi":
        yield EVERY_SGI
    if state.monitor != NOTHING:
        yield Kind.WORD, state.monitor


def cpu_footprint(
    shared: Shared, state: CpuState, memory: Memory, moves: Iterable[Move], number: int
) -> Footprint:
    """Cells of a CPU in this state: of its `moves`, and of everything that could enable more.

    That is: what it holds, TLBIs and SGIs that may arrive, and what its program waits for.
    """
    reads = {own_cell(number), EVERY_PENDING_TLBIS, EVERY_SGI}
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
    """The words that a poll of an address may read, under any translation it may get."""
    page, word = divmod(address, shared.geometry.page_words)
    for t in translations(shared, state, memory, page, READ):
        if not t.fault:
            yield Kind.WORD, t.page * shared.geometry.page_words + word


def tables_in_view(shared: Shared, state: CpuState, memory: Memory) -> frozenset[Cell]:
    """Cells of the tables that walks of this CPU can reach; the same object for the same view."""
    if not shared.hardware.closure:
        return frozenset((Kind.TABLE, base) for base in memory.tables.by_address)
    view = shared.view(state, memory)
    if view.cells is None:
        view.cells = frozenset((Kind.TABLE, base) for base in view.table_addresses())
    cells: frozenset[Cell] = view.cells
    return cells
