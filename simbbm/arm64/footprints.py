"""Which cells a move reads and writes, so that moves that touch different ones commute.

Cells are words of memory by name, `tables` (all translation tables), `event` (the event registers,
which SEV sets), and per CPU `cpuN` (all that is its own) and `dvmN` (what others owe it). What a
CPU may hold changes with every store to a table, so whatever translates, or closes a TLB's contents
under walking, reads `tables`. With a window, what stores overwrite and when is one cell, `past`.

Simplified: tables are one cell, and all moves of a listing one more (fewer pairs commute).
"""

from __future__ import annotations

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, CpuState, LocalMove
from simbbm.arm64.memory import Memory
from simbbm.core.system import Footprint


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
        if shared.geometry.table(address) in memory.tables.by_address:
            writes.add("tables")
        if shared.hardware.window > 1:
            writes.add("past")
    if not move.agent.startswith(".drain"):
        reads.add("tables")
    if effect.sev:
        writes.add("event")
    if effect.tlbi and shared.hardware.eager:
        writes.add("tables")
    if state.flight is not None:
        writes.add("listings")
    elif not move.agent and state.point.op:
        if shared.hardware.window > 1:
            reads.add("past")
        if state.point.op.mnemonic == "wfe":
            reads.add("event")
        if state.monitor != NOTHING:
            # It may wake a WFE, or be set elsewhere: both look at what others do to this word.
            reads.add(shared.name(state.monitor))
        if state.point.op.mnemonic.startswith(("dsb", "tlbi")):
            writes.add(f"dvm{cpu}")
    return Footprint(frozenset(reads), frozenset(writes))
