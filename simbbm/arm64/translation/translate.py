"""The results that the translation of one access may get, early ones included.

An access picks any matching leaf that the CPU may hold, or any walk; it faults iff such a walk
meets a fault in current memory, or met one earlier. Where a guest runs, both stages have to permit
it; what stage 1 does not permit is a fault of stage 1, whatever stage 2 says. When the access may
be performed is another question (`execution.ordering`).

Simplified: an early result may be used by any later access of the program, also by one whose
address depends on a younger load (more behaviours). EL2's own translation is not modelled: there
an address is that of a word of memory (misses a hypervisor's mistakes in its own tables).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.descriptor import RW, Attributes, Descriptor
from simbbm.arm64.platform.errata import stalls
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.stage2 import both
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry
from simbbm.arm64.translation.view import Hit, flat_translation
from simbbm.arm64.translation.walks import (
    ACCESS_FLAG,
    CONFLICT,
    PERMISSION,
    STALL,
    Fault,
    walk_root,
)

READ, WRITE, FETCH = "read", "write", "fetch"
"""Kinds of accesses (`Aborted.access`)."""
EL2 = 2
UNKNOWN_IPA = -1


class Translation(NamedTuple):
    """One possible result of translating an access: `page`, or `fault`."""

    page: int
    entry: LeafEntry | None
    fault: Fault | None
    suffix: str
    """Distinguishes the results of one access in labels; empty for the first one."""
    stale: str | None = None
    """The result is stale: what the current tables give instead."""
    attributes: Attributes | None = None
    early: bool = False
    """Made early: no run uses such results for ever (`Move.early`)."""
    conflict: bool = False
    """The result of two conflicting entries (R20)."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for readers."""
        notes = []
        if self.fault:
            notes.append(self.fault.told)
        elif self.suffix:
            text = f"({self.attributes.text})" if self.attributes and "(" in self.suffix else ""
            notes.append(f"gets page {self.page:#x}{text}")
        if self.early:
            notes.append("translated early")
        if self.conflict:
            notes.append("two entries match")
        return tuple(notes)


def translations(
    shared: Shared, state: CpuState, memory: Memory, page: int, access: str
) -> tuple[Translation, ...]:
    """Every result that an access to `page` may get, in canonical order."""
    k = (state.mmu, page, access, state.el, state.features)
    memo = memory.tables.memo.get(k)
    if memo is None:
        memo = memory.tables.memo[k] = tuple(_translate(shared, state, memory, page, access))
    return memo  # type: ignore[return-value]


def target(t: Translation, among: Iterable[Translation]) -> str:
    """Name the page, with its attributes where another result has the same page with others."""
    alike = {other.attributes for other in among if other.page == t.page and not other.fault}
    assert t.attributes is not None
    text = f"({t.attributes.text or 'rw'})" if len(alike) > 1 else ""
    return f"{t.page:#x}{text}"


def _translate(
    shared: Shared, state: CpuState, memory: Memory, page: int, access: str
) -> list[Translation]:
    if state.el == EL2:
        return [Translation(page, None, None, "", attributes=RW)]
    view = shared.view(state, memory)
    found: list[tuple[Hit | Fault, str]] = [(r, "") for r in view.lookup(page)]
    found += [(result, "~early") for result in _early(shared, state, memory, page)]
    found += [(result, "~conflict") for result in _conflicts(shared, state, memory, page)]
    now = by_current_tables(shared, state, memory, page)
    results: dict[object, Translation] = {}
    for result, origin in found:
        if _is_updated_first(result, state, access):
            continue
        early, conflict = origin == "~early", origin == "~conflict"
        if isinstance(result, Hit):
            fault = _denied(shared, state, memory, result, page, access)
        else:
            fault = result
        if fault is not None:
            suffix = f"!{fault.name}{origin}"
            faulting = Translation(0, None, fault, suffix, early=early, conflict=conflict)
            results.setdefault(fault, faulting)
        else:
            assert isinstance(result, Hit)
            suffix = f"~{result.page:#x}{origin}" if results else ""
            if any(result.page == t.page and not t.fault for t in results.values()):
                suffix = f"~{result.page:#x}({result.attributes.text}){origin}"
            stale = now if now != (result.page, result.attributes) else None
            told = "a fault" if stale is None or stale[0] is None else f"page {stale[0]:#x}"
            results.setdefault(
                (result.page, result.attributes),
                Translation(
                    result.page,
                    result.entry,
                    None,
                    suffix,
                    told if stale else None,
                    result.attributes,
                    early,
                    conflict,
                ),
            )
    return list(results.values())


def by_current_tables(
    shared: Shared, state: CpuState, memory: Memory, page: int
) -> tuple[int | None, Attributes | None]:
    """What a walk of the current tables by the newest registers gives."""
    *_, newest = state.mmu.regime.contexts()
    if not newest.mmu_on:
        flat = flat_translation(page)
        return (flat.page, flat.attributes) if isinstance(flat, Hit) else (None, None)
    result = walk_root(shared.geometry, memory.tables, newest, page)
    if isinstance(result, Fault):
        return None, None
    page, attributes = _reached(shared, result, page)
    if not state.mmu.regime.vttbr:
        return page, attributes
    *_, stage2 = state.mmu.regime.vttbr[-1].regime.contexts()
    behind = walk_root(shared.geometry, memory.tables, stage2, page)
    if isinstance(behind, Fault):
        return None, None
    page, of_stage2 = _reached(shared, behind, page)
    return page, both(attributes, of_stage2)


def _reached(shared: Shared, leaf: tuple[Descriptor, int], page: int) -> tuple[int, Attributes]:
    """Where a leaf at a level leads, and by what attributes."""
    descriptor, level = leaf
    return descriptor.output + page % shared.geometry.pages(level), descriptor.attributes


def _denied(
    shared: Shared, state: CpuState, memory: Memory, hit: Hit, page: int, access: str
) -> Fault | None:
    """The permission fault that an entry gives, of stage 1 first; None: it permits the access."""
    level = hit.entry.level if hit.entry else 0
    if not permitted(hit.attributes, access, state.el):
        return Fault(PERMISSION, level)
    if access != WRITE or hit.attributes.stage2_write:
        return None
    *_, newest = state.mmu.regime.contexts()
    # HPFAR_EL2 has no address after a permission fault: a hypervisor asks stage 1 itself (AT).
    found = walk_root(shared.geometry, memory.tables, newest, page)
    ipa = UNKNOWN_IPA if isinstance(found, Fault) else _reached(shared, found, page)[0]
    return Fault(PERMISSION, level, ipa)


def _early(shared: Shared, state: CpuState, memory: Memory, page: int) -> list[Hit | Fault]:
    asids = {GLOBAL, *(context.asid for context in state.mmu.regime.contexts())}
    leaves = (
        Hit(entry.page + page - entry.va, entry.attributes, entry)
        for entry in state.mmu.early_leaves
        if entry.covers(page, shared.geometry) and entry.asid in asids
    )
    faults = (e.fault for e in state.mmu.early_faults if e.va <= page < e.va + e.pages)
    behind = shared.mmus.early_faults_behind(state.mmu, memory.tables, page)
    return [*leaves, *faults, *(early.fault._replace(ipa=ipa) for ipa, early in behind)]


def _conflicts(shared: Shared, state: CpuState, memory: Memory, page: int) -> list[Hit | Fault]:
    """Results of two conflicting entries, besides either of them (R20, RFVQCK; errata)."""
    view = shared.view(state, memory)
    features = state.features
    differs = view.size_differs(page)
    if differs and stalls(shared.errata(state)):
        return [Fault(STALL, view.matching(page)[0].level)]
    size = differs and not features.tolerates_size_change
    if not (size or view.conflicting(page)):
        return []
    if features.conflict == "abort":
        return [Fault(CONFLICT, view.matching(page)[0].level)]
    if features.conflict == "amalgam":
        pairs = view.pairs(page)
        return [Hit(a.page + page - a.va, b.attributes, None) for a, b in pairs]
    return []


def _is_updated_first(result: Hit | Fault, state: CpuState, access: str) -> bool:
    """Whether hardware changes the descriptor instead (`hardware_update`): then it walks again."""
    if not state.features.updates_descriptors:
        return False
    if isinstance(result, Fault):
        return result.kind == ACCESS_FLAG
    attributes = result.attributes
    allowed = permitted(attributes._replace(write=True), WRITE, state.el)
    dirties = state.features.hardware_dirty and access == WRITE and allowed
    return dirties and attributes.dirty_modifier and not attributes.write


def permitted(attributes: Attributes, access: str, el: int) -> bool:
    """Whether a leaf's permissions allow an access from an exception level."""
    if access == FETCH:
        return attributes.execute
    if el == 0:
        return attributes.user and (access == READ or (attributes.write and attributes.user_write))
    return access == READ or attributes.write
