"""Hardware update of descriptors (FEAT_HAFDBS, R24): the access flag, and the dirty state.

A walker that meets a clear access flag sets it (TCR_EL1.HA), at any time, also for an access that
is never made. A store to a page that is clean and may be made dirty (DBM) makes it writable
(TCR_EL1.HD), only once it is not speculative. Both are atomic: nobody else writes the descriptor
between the walk that has read it and the update.

An instruction in flight may go on by what its walk has read before the descriptor is written: no
barrier but a full DSB waits for an update, and it waits for nothing but what makes the instruction
not speculative. Programs that are asked for one operation at a time update first (fewer
behaviours).

Simplified: a CPU has what its features say, whatever TCR holds; what a block or a contiguous group
says is updated in the descriptor that the walk came to; tables have no access flag (FEAT_HAFT).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import Attributes, Descriptor
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.translation.memory import Memory, Tables
from simbbm.arm64.translation.tlb import LeafEntry
from simbbm.arm64.translation.walks import Place, is_leaf, is_table, leaf_entries


class Update(NamedTuple):
    """A descriptor that hardware may change, and what becomes of it."""

    address: int
    before: Descriptor
    after: Descriptor
    level: int
    va: int
    """The first page that it is for."""
    asid: int
    overwritten: bool = False
    """Somebody has written the descriptor since the walk has read it: this update never happens,
    nor does what was translated by it."""

    def leaf(self, geometry: Geometry) -> LeafEntry:
        """The entry that translates by it."""
        return leaf_entries(geometry, self.after, self.level, self.va, self.asid)[0]


def is_clean(attributes: Attributes) -> bool:
    """Whether a page is not written to yet, and hardware may let it be."""
    return attributes.dirty_modifier and not attributes.write


def access_flag_updates(shared: Shared, state: CpuState, memory: Memory) -> Iterator[Update]:
    """Every descriptor that walks can come to and whose access flag is clear."""
    met: dict[int, Update] = {}
    waiting = [*dict.fromkeys(shared.view(state, memory).all_starts())]
    for place in waiting:
        table = memory.tables.by_address.get(place.baddr)
        size = shared.geometry.pages(place.level)
        for index, descriptor in enumerate(table.entries if table else ()):
            va = place.va + index * size
            if is_table(descriptor, place.level):
                waiting.append(Place(descriptor.output, place.level + 1, va, place.asid))
            elif is_leaf(descriptor, place.level) and not descriptor.access_flag:
                after, address = descriptor._replace(access_flag=True), place.baddr + index
                found = Update(address, descriptor, after, place.level, va, place.asid)
                met.setdefault(address, found)
    yield from met.values()


def updates_for(
    shared: Shared, state: CpuState, memory: Memory, page: int, *, dirty: bool
) -> Iterator[Update]:
    """What an access to a page changes where walks in current memory come to; `dirty`: a store."""
    met: dict[int, Update] = {}
    for place in shared.view(state, memory).starts(page):
        found = _leaf_for(shared.geometry, memory.tables, place, page)
        if found is None:
            continue
        attributes = found.before.attributes
        if dirty and state.features.hardware_dirty and is_clean(attributes):
            attributes = attributes._replace(write=True)
        after = found.before._replace(attributes=attributes, access_flag=True)
        if after != found.before:
            met.setdefault(found.address, found._replace(after=after))
    yield from met.values()


def _leaf_for(geometry: Geometry, tables: Tables, place: Place, page: int) -> Update | None:
    """The leaf that a walk from a table comes to, whatever its access flag is."""
    while (table := tables.by_address.get(place.baddr)) is not None:
        offset, size = page - place.va, geometry.pages(place.level)
        index, va = geometry.index(offset, place.level), place.va + offset // size * size
        descriptor = table.entries[index]
        if is_table(descriptor, place.level):
            place = Place(descriptor.output, place.level + 1, va, place.asid)
        elif is_leaf(descriptor, place.level):
            address = place.baddr + index
            return Update(address, descriptor, descriptor, place.level, va, place.asid)
        else:
            return None
    return None
