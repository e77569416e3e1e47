"""The entries that an MMU holds and reaches under given tables, and lookups in them.

A view is a pure function of (regime, stored entries, tables); it is computed once and remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from simbbm.arm64.descriptor import Attributes
from simbbm.arm64.features import Hardware
from simbbm.arm64.geometry import KERNEL_PAGE, Geometry
from simbbm.arm64.registers import Regime
from simbbm.arm64.translation.memory import Tables
from simbbm.arm64.translation.tlb import GLOBAL, Cached, LeafEntry, TableEntry
from simbbm.arm64.translation.walks import (
    ADDRESS_SIZE,
    TRANSLATION,
    Below,
    Fault,
    Place,
    below,
    leaf_entries,
    merged,
    read,
    table_entry,
    walk,
)

FLAT = Attributes("device", user=True, user_write=True, execute=True)
"""What an access may do while the MMU is off."""

Ranges = tuple[tuple[int, int], ...]
"""Ranges of pages: first and count of each."""


class Hit(NamedTuple):
    """A translation that an access may use. `entry` is None for a mixture of two entries."""

    page: int
    attributes: Attributes
    entry: LeafEntry | None


def flat_translation(page: int) -> Hit | Fault:
    """What an access gets while the MMU is off: the page itself, if there is such memory."""
    return Fault(ADDRESS_SIZE, 0) if page >= KERNEL_PAGE else Hit(page, FLAT, None)


class Conflict(NamedTuple):
    """Two held leaves that can match one address and disagree."""

    page: int
    first: LeafEntry
    second: LeafEntry
    stage2: bool = False
    """They are of stage 2 alone, and the address is an intermediate physical one."""


class Gap(NamedTuple):
    """A page that some walk does not translate: from the root, or from a cached table."""

    page: int
    entry: TableEntry | None


class View:
    """Held entries, and lookups in them."""

    def __init__(
        self,
        geometry: Geometry,
        hardware: Hardware,
        regime: Regime,
        tables: Tables,
        entries: tuple[TableEntry, ...],
        leaves: tuple[LeafEntry, ...],
        kept: tuple[TableEntry, ...],
    ) -> None:
        self.geometry = geometry
        self.hardware = hardware
        self.memory = tables
        self.tables = entries
        self.kept = kept
        """The cached tables that no live root implies (some of `tables`)."""
        self.leaves = leaves
        contexts = list(regime.contexts())
        self.asids = sorted({context.asid for context in contexts if context.mmu_on})
        self._usable = frozenset((*self.asids, GLOBAL) if self.asids else ())
        self._flat = not all(context.mmu_on for context in contexts)
        """Addresses may be physical: the MMU is off, or may be."""
        self.roots = sorted({(c.asid, *root) for c in contexts for root in c.roots()})
        self._regions = [[root[1:] for root in c.roots()] for c in contexts if c.mmu_on]
        self._hits: dict[int, tuple[Hit | Fault, ...]] = {}
        self._places: dict[int, list[tuple[int, int, int]]] | None = None
        self._conflicts: tuple[Conflict | None, Conflict | None] | None = None
        self._uncovered: dict[tuple[int, Ranges], Gap | None] = {}
        self.cells: Any = None
        """What `footprints` found out about this view."""

    def places(self, baddr: int) -> list[tuple[int, int, int]]:
        """Where walks can reach a table: first page, level of its entries, ASID of the walk."""
        return self._all_places().get(baddr, [])

    def table_addresses(self) -> list[int]:
        """Every table that a walk can reach: live roots, cached tables, and those below."""
        return list(self._all_places())

    def _all_places(self) -> dict[int, list[tuple[int, int, int]]]:
        if self._places is None:
            self._places = {}
            for asid, root, first, bits in self.roots:
                at = (first, self.geometry.start_level(bits), asid)
                self._places.setdefault(root, []).append(at)
            for entry in self.tables:
                at = (entry.va, entry.level + 1, entry.asid)
                self._places.setdefault(entry.baddr, []).append(at)
        return self._places

    def matching(self, page: int) -> list[LeafEntry]:
        """Held leaves that an access to this page may match now."""
        return [e for e in self.leaves if self._current(e) and e.covers(page, self.geometry)]

    def _current(self, entry: LeafEntry) -> bool:
        return entry.asid in self._usable

    def lookup(self, page: int) -> tuple[Hit | Fault, ...]:
        """Every translation that an access to this page may get, in canonical order.

        Walks come first, then what is only held; a fault is possible iff some walk from a live
        root or a cached table meets one in current memory.
        """
        hits = self._hits.get(page)
        if hits is None:
            hits = self._hits[page] = self._lookup(page)
        return hits

    def _lookup(self, page: int) -> tuple[Hit | Fault, ...]:
        found: dict[object, Hit | Fault] = {}
        walked = self._walks(page)
        for entry in (*(e for e in walked if isinstance(e, LeafEntry)), *self.matching(page)):
            hit = Hit(entry.page + page - entry.va, entry.attributes, self._narrowed(entry, page))
            found.setdefault((hit.page, hit.attributes), hit)
        for fault in walked:
            if isinstance(fault, Fault):
                found.setdefault(fault, fault)
        if self._flat:
            flat = flat_translation(page)
            found.setdefault(flat, flat)
        return tuple(found.values())

    def _narrowed(self, entry: LeafEntry, page: int) -> LeafEntry:
        """The one leaf, or contiguous group, of an entry that translates this page."""
        size = self.geometry.group(entry.level) if entry.group else 1
        index = (page - entry.va) // self.geometry.pages(entry.level) // size * size
        return entry.part(index, size, self.geometry)

    def starts(self, page: int) -> list[Place]:
        """Where walks for this page may start: at live roots, and at cached tables."""
        roots = [
            Place(baddr, self.geometry.start_level(bits), first, asid)
            for asid, baddr, first, bits in self.roots
            if 0 <= page - first < 1 << bits
        ]
        return roots + [
            Place(e.baddr, e.level + 1, e.va, e.asid)
            for e in self.tables
            if e.asid in self.asids and e.covers(page, self.geometry)
        ]

    def all_starts(self) -> list[Place]:
        """Where walks for any page may start."""
        roots = [
            Place(baddr, self.geometry.start_level(bits), first, asid)
            for asid, baddr, first, bits in self.roots
        ]
        cached = [Place(e.baddr, e.level + 1, e.va, e.asid) for e in self.tables]
        return roots + [place for place in cached if place.asid in self.asids]

    def fills(self, page: int) -> Iterator[Cached]:
        """What one step of a walk for this page may cache: of each table where one may start."""
        for place in self.starts(page):
            found = read(self.geometry, self.memory, place, page)
            if found is None:
                continue
            if entry := table_entry(*found):
                if self.hardware.walk_cache:
                    yield entry
            else:
                yield from leaf_entries(self.geometry, *found)

    def _walks(self, page: int) -> list[LeafEntry | Fault]:
        """Where walks for this page from live roots and cached tables lead."""
        results: list[LeafEntry | Fault] = []
        if not all(any(0 <= page - first < 1 << n for first, n in r) for r in self._regions):
            results.append(Fault(TRANSLATION, 0))
        for place in self.starts(page):
            found = walk(self.geometry, self.memory, place, page)
            if isinstance(found, Fault):
                results.append(found)
            else:
                results.append(leaf_entries(self.geometry, *found)[0])
        return results

    def conflicting(self, page: int) -> bool:
        """Whether held leaves disagree on this page's output, memory type or nG."""
        return any(_disagree(a, b) for a, b in self.pairs(page))

    def size_differs(self, page: int) -> bool:
        """Whether held leaves for this page differ in size or contiguity."""
        return any(_size_differs(a, b) for a, b in self.pairs(page))

    def pairs(self, page: int) -> list[tuple[LeafEntry, LeafEntry]]:
        """Pairs of held leaves of which one access to this page may match both."""
        entries = self.matching(page)
        return [(a, b) for a, b in product(entries, entries) if _same_access(a, b)]

    def size_conflict(self) -> Conflict | None:
        """Two held leaves that can match one address and differ in size or contiguity."""
        return self._find_conflicts()[0]

    def output_conflict(self) -> Conflict | None:
        """Two held leaves that can match one address and differ in output, memory type or nG."""
        return self._find_conflicts()[1]

    def _find_conflicts(self) -> tuple[Conflict | None, Conflict | None]:
        if self._conflicts is None:
            size: Conflict | None = None
            output: Conflict | None = None
            leaves = sorted((e for e in self.leaves if self._current(e)), key=lambda e: e.va)
            for i, a in enumerate(leaves):
                end = a.va + a.pages(self.geometry)
                for b in leaves[i + 1 :]:
                    if b.va >= end:
                        break
                    if not _same_access(a, b):
                        continue
                    if size is None and _size_differs(a, b):
                        size = Conflict(b.va, a, b)
                    if output is None and _disagree(a, b):
                        output = Conflict(b.va, a, b)
            self._conflicts = size, output
        return self._conflicts

    def uncovered(self, root: int, ranges: Ranges) -> Gap | None:
        """The first page of `ranges` that some walk does not translate, and from where.

        Looks at the walk from `root` if that is live, and at every usable cached table that is
        not below one of these.
        """
        k = (root, ranges)
        if k not in self._uncovered:
            self._uncovered[k] = self._find_uncovered(root, ranges)
        return self._uncovered[k]

    def _find_uncovered(self, root: int, ranges: Ranges) -> Gap | None:
        for asid, baddr, first, bits in self.roots:
            if baddr != root:
                continue
            under = below(self.geometry, self.memory, baddr, self.geometry.start_level(bits))
            leaves = _shifted(under, first, asid).leaves
            page = _first_gap(self.geometry, leaves, ranges, first, 1 << bits)
            if page is not None:
                return Gap(page, None)
        for entry in self.kept:
            if entry.asid in self.asids:
                leaves = reachable_from(self.geometry, self.memory, entry).leaves
                size = self.geometry.pages(entry.level)
                page = _first_gap(self.geometry, leaves, ranges, entry.va, size)
                if page is not None:
                    return Gap(page, entry)
        return None


def build_view(
    geometry: Geometry,
    hardware: Hardware,
    regime: Regime,
    entries: tuple[TableEntry, ...],
    leaves: tuple[LeafEntry, ...],
    tables: Tables,
) -> View:
    """Close stored entries under walking (in closure mode) and make the view."""
    if not hardware.closure:
        return View(geometry, hardware, regime, tables, entries, leaves, entries)
    every_table = dict.fromkeys(entries)
    every_leaf = list(leaves)
    for context in regime.contexts():
        for baddr, first, bits in context.roots():
            under = below(geometry, tables, baddr, geometry.start_level(bits))
            found = _shifted(under, first, context.asid)
            every_table |= dict.fromkeys(found.tables)
            every_leaf += found.leaves
    for entry in entries:
        found = reachable_from(geometry, tables, entry)
        every_table |= dict.fromkeys(found.tables)
        every_leaf += found.leaves
    unique = merged(geometry, list(dict.fromkeys(every_leaf)))
    held = tuple(sorted(every_table)), tuple(unique)
    return View(geometry, hardware, regime, tables, *held, entries)


def reachable_from(geometry: Geometry, tables: Tables, entry: TableEntry) -> Below:
    """Everything that walks can reach through a cached table."""
    under = below(geometry, tables, entry.baddr, entry.level + 1)
    return _shifted(under, entry.va, entry.asid)


class Views:
    """Views that were made, each for all tables that differ only where no walk of it can come."""

    def __init__(self, geometry: Geometry, hardware: Hardware) -> None:
        self.geometry = geometry
        self.hardware = hardware
        self.entries = 0
        """Entries of all of them together."""
        self._made: dict[tuple[object, ...], View] = {}
        """By regime, entries, and what is below the tables that walks start from."""

    def of(
        self,
        regime: Regime,
        entries: tuple[TableEntry, ...],
        leaves: tuple[LeafEntry, ...],
        tables: Tables,
    ) -> View:
        """The view of stored entries, closed under walking."""
        k = (regime, entries, leaves, *self._below(regime, entries, tables))
        view = self._made.get(k)
        if view is None:
            view = build_view(self.geometry, self.hardware, regime, entries, leaves, tables)
            self._made[k] = view
            self.entries += len(view.tables) + len(view.leaves)
        return view

    def _below(
        self, regime: Regime, entries: tuple[TableEntry, ...], tables: Tables
    ) -> Iterator[Below]:
        """What is below each root and each cached table."""
        for context in regime.contexts():
            for at, _, bits in context.roots():
                yield below(self.geometry, tables, at, self.geometry.start_level(bits))
        for entry in entries:
            yield below(self.geometry, tables, entry.baddr, entry.level + 1)


def _shifted(under: Below, va: int, asid: int) -> Below:
    """Move entries below a table to its address, and give them the ASID of the walk."""
    return Below(
        tuple(TableEntry(e.level, e.va + va, e.baddr, asid) for e in under.tables),
        tuple(
            LeafEntry(e[0], e.va + va, *e[2:7], GLOBAL if e.asid == GLOBAL else asid)
            for e in under.leaves
        ),
    )


def _same_access(a: LeafEntry, b: LeafEntry) -> bool:
    """Whether one access may match both: it has one ASID, also while the CPU may have two."""
    return GLOBAL in (a.asid, b.asid) or a.asid == b.asid


def _size_differs(a: LeafEntry, b: LeafEntry) -> bool:
    return (a.level, a.contiguous) != (b.level, b.contiguous)


def _disagree(a: LeafEntry, b: LeafEntry) -> bool:
    """Whether break-before-make was due between two leaves for one address (R19, RWHZWS)."""
    return (
        a.page - a.va != b.page - b.va
        or a.attributes.memory != b.attributes.memory
        or (a.asid == GLOBAL) != (b.asid == GLOBAL)
    )


def _first_gap(
    geometry: Geometry,
    leaves: tuple[LeafEntry, ...],
    ranges: Ranges,
    first: int,
    count: int,
) -> int | None:
    """Return the first page of `ranges`, cut to `count` pages from `first`, that no leaf maps."""
    for start, length in ranges:
        page, end = max(start, first), min(start + length, first + count)
        for leaf in leaves:
            if not leaf.group and leaf.va <= page < leaf.va + leaf.pages(geometry):
                page = leaf.va + leaf.pages(geometry)
        if page < end:
            return page
    return None
