"""Which cells a move reads and writes, so that moves that touch different ones commute.

Cells are words of memory by name, translation tables by name (as a whole, for whoever walks them),
`event` (the event registers, which SEV sets), and per CPU `cpuN` (all that is its own) and `dvmN`
(what others owe it). What a CPU may hold changes with every store to a table that its walks can
come upon, so whatever a CPU does or holds reads the tables in its view.
With a window, what stores overwrite and when is one cell, `past`. A TLB that CPUs have in common is
a cell: who shares it reads it, and writes it by a change to old entries that it has or had.

Simplified: all moves of listings share a cell (fewer pairs commute).
"""

from __future__ import annotations

from collections.abc import Iterable

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, LocalMove
from simbbm.arm64.memory import Memory
from simbbm.arm64.sharing import shares
from simbbm.arm64.view import Hit
from simbbm.core.system import Footprint, Move

EVERY_INBOX = "every inbox"
"""Cell of a broadcast TLBI: it gives every CPU a move. The moves that CPUs have already commute."""


def footprint(
    shared: Shared, state: CpuState, memory: Memory, move: LocalMove, cpu: int
) -> Footprint:
    """Cells of a move of CPU `cpu` in this state."""
    reads = {f"cpu{cpu}", *move.reads}
    writes = {f"cpu{cpu}"}
    effect = move.effect
    if effect.write:
        address, words = effect.write
        writes |= {shared.name(address + i) for i in range(len(words))}
        base = shared.geometry.table(address)
        if base in memory.tables.by_address:
            writes.add(_table(base))
        if shared.hardware.window > 1:
            writes.add("past")
    if not move.agent.startswith(".drain"):
        reads.update(tables_in_view(shared, state, memory))
        if effect.cpu.mmu.regime is not state.mmu.regime:
            reads.update(tables_in_view(shared, effect.cpu, memory))
    if state.features.tlb:
        both = [mmu for mmu in (state.mmu, effect.cpu.mmu) if shares(mmu.regime)]
        if both:
            reads.add(_tlb(state))
        # What walks from the tables imply, everybody has anyway.
        if effect.cpu.mmu is not state.mmu and any(mmu.tables or mmu.leaves for mmu in both):
            writes.add(_tlb(state))
    if effect.sev:
        writes.add("event")
    if effect.tlbi and not shared.hardware.late_tlbis:
        writes |= {_table(base) for base in memory.tables.by_address}
    if effect.tlbi and effect.tlbi.broadcast:
        writes.add(EVERY_INBOX)
    if state.flight is not None:
        writes.add("listings")
    elif not move.agent and state.point.op:
        if shared.hardware.window > 1:
            reads.add("past")
        reads.update(_listens_to(shared, state))
        if state.point.op.mnemonic.startswith(("dsb", "tlbi")):
            writes.add(f"dvm{cpu}")
    return Footprint(frozenset(reads), frozenset(writes))


def _listens_to(shared: Shared, state: CpuState) -> Iterable[str]:
    """Cells by which others may wake a WFE or make a store-exclusive fail."""
    if state.point.op and state.point.op.mnemonic == "wfe":
        yield "event"
    if state.monitor != NOTHING:
        yield shared.name(state.monitor)


def cpu_footprint(
    shared: Shared, state: CpuState, memory: Memory, moves: Iterable[Move], cpu: int
) -> Footprint:
    """Cells of a whole CPU in this state: of all its `moves`, and of what could give it more.

    That is what it holds, TLBIs that may arrive, and what a program that waits is waiting for.
    """
    reads = {f"cpu{cpu}", EVERY_INBOX}
    reads.update(tables_in_view(shared, state, memory), _listens_to(shared, state))
    if state.features.tlb and shares(state.mmu.regime):
        reads.add(_tlb(state))
    writes: set[str] = set()
    for move in moves:
        reads |= move.footprint.reads
        writes |= move.footprint.writes
    op = state.point.op
    if op is not None:
        if op.mnemonic.startswith("dsb"):
            writes.add(f"dvm{cpu}")
        if op.mnemonic.startswith("wait"):
            geometry, address = shared.geometry, op.args[0]
            for hit in shared.view(state, memory).lookup(geometry.page(address)):
                if isinstance(hit, Hit):
                    word = hit.page * geometry.page_words + address % geometry.page_words
                    reads.add(shared.name(word))
    return Footprint(frozenset(reads), frozenset(writes))


def tables_in_view(shared: Shared, state: CpuState, memory: Memory) -> Iterable[str]:
    """Cells of the tables that walks of this CPU can come upon."""
    if shared.hardware.closure:
        bases: Iterable[int] = shared.view(state, memory).table_addresses()
    else:
        bases = memory.tables.by_address
    return [_table(base) for base in bases]


def _tlb(state: CpuState) -> str:
    return f"tlb {state.features.tlb}"


def _table(base: int) -> str:
    return f"table {base:#x}"
