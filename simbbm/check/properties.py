"""The properties that simbbm brings, for scenarios to choose from. Their kinds: `kinds`.

Properties of translations are predictive: they judge what a CPU may hold, not what it happened to
use, so that a hazard is seen whether or not an access met it in this run. The message says which of
the two it was: HELD (only speculation could meet it) or USED (the CPU's own code or data is there).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations, product
from typing import NamedTuple

from simbbm.arm64.context import Shared, ipa_name
from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.descriptor import Attributes, Descriptor
from simbbm.arm64.features import DELAYED
from simbbm.arm64.geometry import LEAF_LEVEL, Geometry
from simbbm.arm64.registers import Regime
from simbbm.arm64.state import Check, Machine
from simbbm.arm64.translation.memory import Tables
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry
from simbbm.arm64.translation.view import Conflict, Ranges, build_view
from simbbm.check.kinds import Property
from simbbm.core.system import Move, Problem


def _per_cpu(judge: Callable[[Shared, Machine, int, CpuState], str | None], name: str) -> Check:
    def check(shared: Shared, machine: Machine) -> Problem | None:
        for number, pe in enumerate(machine.cpus):
            message = judge(shared, machine, number, pe)
            if message:
                return Problem(name, f"cpu{number}{message}", number)
        return None

    return check


def _entry(shared: Shared, entry: LeafEntry) -> str:
    kind = {1: "level 1 block", 2: "level 2 block", 3: "page"}[entry.level]
    group = " of a contiguous group" if entry.contiguous else ""
    va = shared.page_name(entry.va)
    if entry.count == 1:
        return f"{kind}{group} {va} -> page {entry.page:#x}"
    return f"{entry.count} {kind}s{group} from {va} on -> pages from {entry.page:#x} on"


def _stage2_entry(entry: LeafEntry) -> str:
    kind = f"level {entry.level} block" if entry.level < LEAF_LEVEL else "page"
    return f"a {kind} from IPA {entry.va:#x} on -> {entry.page:#x}"


def _met(shared: Shared, pe: CpuState, conflict: Conflict) -> str:
    """HELD or USED: whether the CPU executes from, or asks for, an address in both entries."""
    op = pe.point.op
    pages = {pe.pc}
    if op and op.args and isinstance(op.args[0], int) and not op.mnemonic.startswith(("br", "msr")):
        pages.add(shared.geometry.page(op.args[0]))
    for page in pages:
        if page is not None and all(
            e.covers(page, shared.geometry) for e in (conflict.first, conflict.second)
        ):
            return "USED by its next step"
    return "HELD, speculation may meet them"


def _conflict_message(shared: Shared, pe: CpuState, conflict: Conflict, what: str) -> str:
    if conflict.stage2:
        one, two = (_stage2_entry(entry) for entry in (conflict.first, conflict.second))
        where = f"stage 2 for {ipa_name(conflict.page)}"
        return f" may hold two entries of {where} that differ in {what}: {one} and {two}"
    va = shared.page_name(conflict.page)
    return (
        f" may hold two entries for {va} that differ in {what}: "
        f"{_entry(shared, conflict.first)} and {_entry(shared, conflict.second)} "
        f"({_met(shared, pe, conflict)})"
    )


def _size(shared: Shared, machine: Machine, number: int, pe: CpuState) -> str | None:  # noqa: ARG001
    if pe.features.tolerates_size_change:
        return None
    conflict = shared.view(pe, machine.memory).size_conflict()
    return _conflict_message(shared, pe, conflict, "size") if conflict else None


def _output(shared: Shared, machine: Machine, number: int, pe: CpuState) -> str | None:  # noqa: ARG001
    conflict = shared.view(pe, machine.memory).output_conflict()
    return _conflict_message(shared, pe, conflict, "output or type") if conflict else None


def _each_cpu(name: str, judge: Callable[[Shared, Machine, int, CpuState], str | None]) -> Property:
    return Property(name, _per_cpu(judge, name), uniform=True, monotone=True)


no_size_change_seen = _each_cpu("no_size_change_seen", _size)
no_tlb_conflict = _each_cpu("no_tlb_conflict", _output)


def no_size_change_seen_below(level: int) -> Property:
    """`no_size_change_seen`, said only of CPUs whose FEAT_BBM level is lower than `level`.

    For a question about those that have level 2 and may take a conflict abort.
    """

    def judge(shared: Shared, machine: Machine, number: int, pe: CpuState) -> str | None:
        return _size(shared, machine, number, pe) if pe.features.bbm < level else None

    return _each_cpu("no_size_change_seen", judge)


def _two_tables(one: Regime, other: Regime) -> str | None:
    """The register in which two CPUs may set CnP for two tables under one ASID."""
    for here, there in product(one.contexts(), other.contexts()):
        pairs = {"TTBR0": (here.ttbr0, there.ttbr0), "TTBR1": (here.ttbr1, there.ttbr1)}
        for name, (a, b) in pairs.items() if here.asid == there.asid else ():
            if a.cnp and b.cnp and a.baddr != b.baddr:
                return name
    return None


def _one_table_under_cnp(shared: Shared, machine: Machine) -> Problem | None:  # noqa: ARG001
    for (i, one), (j, other) in combinations(enumerate(machine.cpus), 2):
        if name := _two_tables(one.mmu.regime, other.mmu.regime):
            told = f"cpu{i} and cpu{j} may have CnP set in {name} for two tables under one ASID"
            return Problem("one_table_under_cnp", told, i)
    return None


one_table_under_cnp = Property("one_table_under_cnp", _one_table_under_cnp)


def _stale_access(shared: Shared, move: Move) -> Problem | None:  # noqa: ARG001 - a StepCheck
    effect = move.effect
    if not isinstance(effect, Effect) or effect.stale is None:
        return None
    page, current = effect.stale
    told = f"cpu{move.cpu} got page {page:#x} where the tables now give {current}"
    return Problem("no_stale_translation", told, move.cpu)


no_stale_translation = Property(
    "no_stale_translation", step=_stale_access, uniform=True, monotone=True
)
terminates = Property("terminates", uniform=True)
"""Judged of every run: a scenario that promises it says so, and expectations can name it."""


def no_fault_on_live_map(root: int, ranges: Ranges, *, other_maps: bool = False) -> Property:
    """While `root` is live, every page of `ranges` (first page, count) translates on every walk.

    Walks start from that root and from every usable cached table. With `other_maps` cached tables
    may belong to some other map of the same addresses: they count only while TTBR1 has `root`.
    """

    def judge(shared: Shared, machine: Machine, number: int, pe: CpuState) -> str | None:  # noqa: ARG001
        if other_maps and all(t.baddr != root for t in pe.mmu.regime.ttbr1):
            return None
        gap = shared.view(pe, machine.memory).uncovered(root, ranges)
        if gap is None:
            return None
        va = shared.page_name(gap.page)
        source = f"the live root {shared.symbols.get(root, hex(root))}"
        if gap.entry is not None:
            source = f"a cached level {gap.entry.level} table entry"
        return f" may walk from {source} to {va}, which was mapped and now faults"

    return _each_cpu("no_fault_on_live_map", judge)


def ng_published(root: int, ranges: Ranges) -> Property:
    """KPTI: a CPU that may walk `root` has the pages of `ranges` all global or all non-global.

    All non-global at the end. In between, while some entries are rewritten and some are not, or
    are and nobody can see it yet, nobody may have that root: what is global answers to user space
    as well, and where it is cached it meets the non-global entry for the same address.
    """

    def walks(pe: CpuState) -> bool:
        return any(root == baddr for c in pe.mmu.regime.contexts() for baddr, *_ in c.roots())

    def found(shared: Shared, machine: Machine, pe: CpuState) -> dict[bool, LeafEntry]:
        """A leaf of each kind that it holds or reaches: whether it is global."""
        tables = machine.memory.tables
        reached = build_view(shared.geometry, DELAYED, pe.mmu.regime, (), (), tables).leaves
        kinds: dict[bool, LeafEntry] = {}
        for entry in (*shared.view(pe, machine.memory).leaves, *reached):
            end = entry.va + entry.pages(shared.geometry)
            if any(entry.va < first + n and first < end for first, n in ranges):
                kinds.setdefault(entry.asid == GLOBAL, entry)
        return kinds

    def judge(shared: Shared, machine: Machine, number: int, pe: CpuState) -> str | None:  # noqa: ARG001
        kinds = found(shared, machine, pe) if walks(pe) else {}
        if len(kinds) < 2:
            return None
        both = f"{_entry(shared, kinds[True])}, and the non-global {_entry(shared, kinds[False])}"
        return f" may walk a map that is half rewritten: it may hold the global {both}"

    def at_end(shared: Shared, machine: Machine, number: int, pe: CpuState) -> str | None:  # noqa: ARG001
        entry = found(shared, machine, pe).get(True) if walks(pe) else None
        return f" may still hold the global {_entry(shared, entry)} at the end" if entry else None

    always = _each_cpu("ng_published", judge)
    return always._replace(final=_per_cpu(at_end, always.name))


def translations_preserved(
    regime: Regime, tables: Mapping[int, tuple[Descriptor, ...]]
) -> Property:
    """At the end the newest context translates every page as `regime` did with `tables`."""

    def judge(shared: Shared, machine: Machine) -> Problem | None:
        before = _flat(shared, regime, shared.memories.tables(dict(tables)))
        after = _flat(shared, regime, machine.memory.tables)
        if before == after:
            return None
        lost = next(a for a in (*before, *after) if a not in before or a not in after)
        message = f"at the end {shared.page_name(lost.va)} is not translated as at the start"
        return Problem("translations_preserved", message)

    return Property("translations_preserved", final=judge, uniform=True)


class _Stretch(NamedTuple):
    """Pages with one offset and one set of attributes, whatever the sizes of their leaves."""

    va: int
    pages: int
    offset: int
    attributes: Attributes


def _flat(shared: Shared, regime: Regime, tables: Tables) -> list[_Stretch]:
    view = build_view(shared.geometry, DELAYED, regime, (), (), tables)
    stretches: list[_Stretch] = []
    for leaf in sorted(view.leaves, key=lambda e: e.va):
        if leaf.group:
            continue
        new = _Stretch(leaf.va, leaf.pages(shared.geometry), leaf.page - leaf.va, leaf.attributes)
        last = stretches[-1] if stretches else None
        if last and last.va + last.pages == new.va and last[2:] == new[2:]:
            stretches[-1] = last._replace(pages=last.pages + new.pages)
        else:
            stretches.append(new)
    return stretches


def all_ptes_at_end(regime: Regime, ranges: Ranges) -> Property:
    """At the end `ranges` consist of pages without the contiguous hint, as `regime` walks them.

    `ranges` are pairs: first page, count.
    """

    def judge(shared: Shared, machine: Machine) -> Problem | None:
        leaf = large_leaf(shared.geometry, regime, machine.memory.tables, ranges)
        if leaf is None:
            return None
        message = f"at the end there is still {_entry(shared, leaf)}"
        return Problem("all_ptes_at_end", message)

    return Property("all_ptes_at_end", final=judge, uniform=True)


def large_leaf(
    geometry: Geometry, regime: Regime, tables: Tables, ranges: Ranges
) -> LeafEntry | None:
    """A block or contiguous page with which `regime` maps a page of `ranges`, if there is one."""
    for leaf in build_view(geometry, DELAYED, regime, (), (), tables).leaves:
        end = leaf.va + leaf.pages(geometry)
        large = leaf.level < LEAF_LEVEL or leaf.contiguous
        if large and any(leaf.va < first + n and first < end for first, n in ranges):
            return leaf
    return None


def context_restored(regime: Regime) -> Property:
    """At the end every CPU runs under `regime`, with nothing masked."""

    def judge(shared: Shared, machine: Machine) -> Problem | None:  # noqa: ARG001 - a Check
        for number, pe in enumerate(machine.cpus):
            now = pe.mmu.regime
            if now.synchronised() != regime or pe.masked:
                what = "its interrupts masked" if pe.masked else "other translation registers"
                message = f"cpu{number} ends with {what}"
                return Problem("context_restored", message, number)
        return None

    return Property("context_restored", final=judge, uniform=True)


def tables_linked_once(regime: Regime) -> Property:
    """At the end every table of `regime` is the output of one descriptor at most."""

    def judge(shared: Shared, machine: Machine) -> Problem | None:
        view = build_view(shared.geometry, DELAYED, regime, (), (), machine.memory.tables)
        seen: set[int] = set()
        for entry in view.tables:
            if entry.baddr in seen:
                message = f"at the end the table at {entry.baddr:#x} is linked twice"
                return Problem("tables_linked_once", message)
            seen.add(entry.baddr)
        return None

    return Property("tables_linked_once", final=judge, uniform=True)


__all__ = [
    "Property",
    "all_ptes_at_end",
    "context_restored",
    "large_leaf",
    "ng_published",
    "no_fault_on_live_map",
    "no_size_change_seen",
    "no_size_change_seen_below",
    "no_stale_translation",
    "no_tlb_conflict",
    "one_table_under_cnp",
    "tables_linked_once",
    "terminates",
    "translations_preserved",
]
