"""What one state of a machine shows, as parts that have names and are plain data.

A part is drawn as a whole: a table, a word, a register, what one CPU holds. So a page need only
know, part by part, when it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import NOTHING, ON, CpuState
from simbbm.arm64.features import Features
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.arm64.platform.text import Ic
from simbbm.arm64.registers import ON_MMU
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.guest_mmu import GuestMmu
from simbbm.arm64.translation.memory import Table, Tables
from simbbm.arm64.translation.mmu import Mmu
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry, TableEntry
from simbbm.arm64.translation.translate import EL2
from simbbm.arm64.translation.view import View
from simbbm.arm64.translation.walks import without
from simbbm.report.html.tables import Box, rows, table_name
from simbbm.report.trace import function_of, instruction, value

Parts = dict[str, Any]

STORES_MAX = 16
"""Pending stores that are told one by one: who fills a table of 512 entries has as many."""
CONFLICT, TOLERATED, STALE = "conflict", "tolerated", "stale"
"""What is remarkable about a held entry: another one disagrees about an address that both match;
likewise in size alone, which this CPU may see; the tables that are in effect say otherwise."""


class Moments:
    """Tells states of one run; what it has told of a part it remembers."""

    def __init__(self, shared: Shared, boxes: tuple[Box, ...]) -> None:
        self._shared = shared
        self._levels = {box.address: box.level for box in boxes}
        self._tables: dict[tuple[int, Table], Any] = {}
        self._cpus: dict[tuple[CpuState, Tables, int], Parts] = {}
        self._leaves: dict[tuple[Mmu, Tables, Features], list[list[str]]] = {}

    def parts(self, state: Machine, before: Machine | None = None) -> Parts:
        """Everything that is drawn of a state; of the state `before` it, what is gone."""
        tables = state.memory.tables
        found = {f"t{a}": self._table(a, table) for a, table in tables.by_address.items()}
        words = state.memory.data.items()
        found |= {f"w{a}": value(self._shared, word) for a, word in words}
        for number, pe in enumerate(state.cpus):
            k = (pe, tables, number)
            if k not in self._cpus:
                self._cpus[k] = {
                    f"c{number}.{name}": part for name, part in self._cpu(pe, tables, number)
                }
            found |= self._cpus[k]
            if before:
                found[f"c{number}.gone"] = self._gone(state, before, number)
        return found

    def _gone(self, state: Machine, before: Machine, number: int) -> list[list[str]]:
        """Leaves that a CPU held in the state before and holds no more."""
        views = [self._shared.view(one.cpus[number], one.memory) for one in (before, state)]
        if views[0] is views[1]:
            return []
        gone = without(self._shared.geometry, views[0].leaves, views[1].leaves)
        return [_described(self._shared, entry) for entry in gone]

    def _table(self, address: int, table: Table) -> Any:
        k = (address, table)
        if k not in self._tables:
            self._tables[k] = rows(self._shared, table, self._levels[address])
        return self._tables[k]

    def _cpu(self, pe: CpuState, tables: Tables, number: int) -> Iterator[tuple[str, Any]]:
        shared = self._shared
        view = shared.mmus.view(pe.mmu, tables)
        yield "next", _next(shared, pe)
        yield "flight", [c.label for c in pe.flight.code(pe, number)] if pe.flight else []
        yield "roots", [*_roots(pe)]
        yield "regs", [*_registers(shared, pe)]
        k = (pe.mmu, tables, pe.features)
        if k not in self._leaves:
            self._leaves[k] = [*_leaves(shared, pe, view, tables)]
        yield "leaves", self._leaves[k]
        yield "tables", [*_cached(shared, view)]
        yield "early", [*_early(shared, pe)]
        yield "stores", [*_stores(shared, pe)]
        yield "tlbis", [*_tlbis(shared, pe)]
        yield "state", [*_flags(shared, pe)]


def span(shared: Shared, first: int, pages: int) -> str:
    """The name of a range of pages."""
    start = shared.page_name(first)
    if pages == 1:
        return start
    last = shared.page_name(first + pages - 1)
    name, plus, _ = start.rpartition("+")
    return f"{start}..{last.removeprefix(name + plus) if plus else last}"


def _next(shared: Shared, state: CpuState) -> list[str]:
    """The routine that runs, and what it does next."""
    if state.finished:
        return ["", "finished"]
    if state.point.op is None:
        return ["", ""]
    return [function_of(state.point), instruction(shared, state.point.op)]


def _roots(state: CpuState) -> Iterator[list[Any]]:
    """Table, register and whether it is the newest value, of each that a walk may start from."""
    regime = state.mmu.regime
    registers = ("TTBR0", regime.ttbr0), ("TTBR1", regime.ttbr1), ("VTTBR", regime.vttbr)
    for name, values in registers:
        for ttbr in values:
            yield [ttbr.baddr, name, int(ttbr is values[-1])]


def _registers(shared: Shared, state: CpuState) -> Iterator[list[Any]]:
    """Each register with its values: those before the last are perhaps in effect still."""
    regime = state.mmu.regime
    for name in regime._fields:
        values = getattr(regime, name)
        if values and values != (ON_MMU,):
            yield [name.upper(), *(value(shared, one) for one in values)]


def _leaves(shared: Shared, state: CpuState, view: View, tables: Tables) -> Iterator[list[str]]:
    """What the CPU may hold: pages, what kind of leaf, output with rights, what is remarkable."""
    geometry = shared.geometry
    now = shared.mmus.walked(state.mmu, tables)
    for leaf in view.leaves:
        stale = without(geometry, [leaf], now)
        for entry in (*without(geometry, [leaf], stale), *stale):
            mark = _disagrees(state, view, entry) or (STALE if entry in stale else "")
            yield [*_described(shared, entry), mark]


def _described(shared: Shared, entry: LeafEntry) -> list[str]:
    name = f"L{entry.level} block" if entry.level < LEAF_LEVEL else "page"
    kind = name if entry.count == 1 else f"{entry.count} {name}s"
    if entry.contiguous:
        kind = f"{name} CONT group" if entry.group else f"{kind} CONT"
    asid = "" if entry.asid == GLOBAL else f"asid {entry.asid}"
    rights = entry.attributes.text or "rw"
    output = " ".join(filter(None, (hex(entry.page), rights, asid)))
    return [span(shared, entry.va, entry.pages(shared.geometry)), kind, output]


def _disagrees(state: CpuState, view: View, entry: LeafEntry) -> str:
    """Whether another entry says otherwise about an address that both match."""
    if entry.asid != GLOBAL and entry.asid not in view.asids:
        return ""
    met = [leaf.va for leaf in view.leaves if entry.covers(leaf.va, view.geometry)]
    pages = (entry.va, *met)
    if any(view.conflicting(page) for page in pages):
        return CONFLICT
    if any(view.size_differs(page) for page in pages):
        return TOLERATED if state.features.tolerates_size_change else CONFLICT
    return ""


def _cached(shared: Shared, view: View) -> Iterator[list[Any]]:
    """Cached table descriptors that no root in effect leads to: pages, level, table."""
    for entry in view.kept:
        yield [
            _table_span(shared, entry),
            entry.level,
            entry.baddr,
            table_name(shared, entry.baddr),
        ]


def _table_span(shared: Shared, entry: TableEntry) -> str:
    asid = f" asid {entry.asid}" if entry.asid > 0 else ""
    return shared.page_name(entry.va) + asid


def _early(shared: Shared, state: CpuState) -> Iterator[str]:
    """Results of translations that an access may have got in advance."""
    for entry in state.mmu.early_leaves:
        pages, kind, output = _described(shared, entry)
        yield f"{pages}: {kind} {output}"
    for fault in state.mmu.early_faults:
        yield f"{span(shared, fault.va, fault.pages)}: {fault.fault}"


def _stores(shared: Shared, state: CpuState) -> Iterator[list[Any]]:
    """What waits to reach memory: text, and behind how many barriers."""
    for store in state.buffer.stores[:STORES_MAX]:
        words = ", ".join(value(shared, word) for word in store.words[:2])
        more = f", ... {len(store.words)} words" if len(store.words) > 2 else ""
        release = " (release)" if store.release else ""
        yield [f"{shared.name(store.address)} = {words}{more}{release}", store.group]
    if len(state.buffer.stores) > STORES_MAX:
        yield [f"and {len(state.buffer.stores) - STORES_MAX} more", 0]


def _tlbis(shared: Shared, state: CpuState) -> Iterator[str]:
    for pending in state.pending_tlbis:
        how = "has acted, waits for older stores" if pending.acted else "has not acted yet"
        what = shared.tlbi_name(pending.tlbi)
        name = what if isinstance(pending.tlbi, Ic) else f"tlbi {what}"
        yield f"{name} from cpu{pending.issuer}: {how}"


def _flags(shared: Shared, state: CpuState) -> Iterator[str]:
    if state.power != ON:
        yield "not out of reset"
    if state.monitor != NOTHING:
        yield f"exclusive monitor on {shared.name(state.monitor)}"
    if state.event:
        yield "event register set"
    if state.all_masked or state.masked:
        yield "DAIF masked" if state.all_masked else "IRQs masked"
    for intid in state.sgis:
        yield f"SGI {intid} pending"
    if state.el == EL2:
        yield "at EL2: nothing walks for a guest"
    for stale in state.text:
        yield f"may execute {shared.name(stale.word)} as {stale.value}"
    if state.saved:
        yield "in an exception handler"
    if isinstance(state.mmu, GuestMmu):
        for held in state.mmu.parked:
            kept = len(held.combined)
            yield f"keeps {kept} {'entry' if kept == 1 else 'entries'} of VMID {held.vmid}"
