"""Non-coherent copies of descriptors by physical address, on CPUs without FEAT_nTLBPA (R22).

Such a CPU may keep what was valid at a place in a table since the last TLBI that was for it, and a
walk that comes to the place, by whatever address and ASID, may read that instead of memory. So a
page that is used as a table again may show what it said in its former life.

As the TLB is a closure (`mmu`), so are these: `closed` adds a copy of everything that walks can
come to, and to the TLB what walks may get from copies. A TLBI takes a copy away if it is for the
address by which it was read, or for one by which a walk comes to it now.

Simplified: copies are there with `tlb=closure` alone, and are not shared under CnP (misses both).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import TABLE, Descriptor
from simbbm.arm64.translation.memory import Memory, Tables
from simbbm.arm64.translation.tlb import Copy, Entry, LeafEntry, TableEntry, Tlbi
from simbbm.arm64.translation.view import View
from simbbm.arm64.translation.walks import leaf_entries, table_entry


def closed(shared: Shared, state: CpuState, memory: Memory) -> CpuState:
    """The CPU with copies of all that its walks can reach, and with what walks get from copies."""
    if state.copies is None or not shared.hardware.closure:
        return state
    mmu, copies = state.mmu, set(state.copies)
    while True:
        view = shared.mmus.view(mmu, memory.tables)
        copies.update(_readable(view, memory.tables))
        filled = shared.mmus.holding(mmu, memory.tables, _got(view, memory.tables, copies))
        if filled is mmu:
            break
        mmu = filled
    return shared.cpus.change(state, mmu=mmu, copies=tuple(sorted(copies)))


def invalidated(
    shared: Shared, state: CpuState, memory: Memory, tlbi: Tlbi
) -> tuple[Copy, ...] | None:
    """The copies that a TLBI leaves."""
    if state.copies is None:
        return None
    view = shared.mmus.view(state.mmu, memory.tables)

    def is_for(entries: Iterable[Entry]) -> bool:
        geometry = shared.geometry
        return any(
            tlbi.matches_table(e, geometry)
            if isinstance(e, TableEntry)
            else tlbi.remainder(e, geometry) != (e,)
            for e in entries
        )

    return tuple(
        copy
        for copy in state.copies
        if not is_for(_entries(view, copy.descriptor, copy.level, copy.va, copy.asid))
        and not is_for(_entries_at(view, copy))
    )


def _readable(view: View, tables: Tables) -> Iterator[Copy]:
    """Every valid descriptor that walks can come to, as it is in memory."""
    for base in view.table_addresses():
        table = tables.by_address.get(base)
        for index, descriptor in enumerate(table.entries if table else ()):
            if descriptor.cacheable:
                for va, level, asid in view.places(base):
                    at = va + index * view.geometry.pages(level)
                    yield Copy(base + index, descriptor, level, at, asid)


def _got(view: View, tables: Tables, copies: Iterable[Copy]) -> list[Entry]:
    """What walks may cache that read copies; those of what memory says are there anyway."""
    return [
        entry
        for copy in sorted(copies)
        if view.places(base := view.geometry.table(copy.address))
        and tables.by_address[base].entries[copy.address - base] != copy.descriptor
        for entry in _entries_at(view, copy)
    ]


def _entries_at(view: View, copy: Copy) -> Iterator[Entry]:
    """The entries that a copy makes at the addresses by which walks come to it now."""
    base = view.geometry.table(copy.address)
    for va, level, asid in view.places(base):
        at = va + (copy.address - base) * view.geometry.pages(level)
        yield from _entries(view, copy.descriptor, level, at, asid)


def _entries(
    view: View, descriptor: Descriptor, level: int, va: int, asid: int
) -> list[TableEntry] | list[LeafEntry]:
    if descriptor.kind == TABLE:
        entry = table_entry(descriptor, level, va, asid)
        return [entry] if entry else []
    return leaf_entries(view.geometry, descriptor, level, va, asid)
