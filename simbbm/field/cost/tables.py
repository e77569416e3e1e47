"""The leaves that map_mem() makes of RAM, and the tables that it takes to split them: exact counts.

A split to pages gives each level 2 block a table of PTEs, and each level 1 block a table of PMDs as
well (mmu.c:split_pud, split_pmd). Contiguous leaves are split where they stand. So the extra memory
depends on the granule and on the blocks, and neither on the size of the virtual address space nor
on how many levels tables have: what is above the leaves is there before and after.

Simplified: KFENCE's pool and a crash kernel's memory, which are mapped with pages from the start,
are taken for RAM like any other (the count is too high, by 2 to 8 tables for KFENCE). RAM of which
nothing but the size is known is one range that begins at a multiple of the largest block (too high,
by less than a level 1 block's tables for each hole; a block cut by a hole needs no table of PMDs).
With 64K pages, virtual and physical addresses need not agree beyond 512 MiB, and contiguous blocks
may be plain ones in truth (other times, the same tables).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simbbm.arm64.geometry import GEOMETRIES, Geometry
from simbbm.core.errors import UsageError
from simbbm.host.reading import quoted

GRANULES = ("4k", "16k", "64k")
"""Page sizes that Linux can be built for, as `GEOMETRIES` calls them."""
VA_BITS = {"4k": (39, 48, 52), "16k": (36, 47, 48, 52), "64k": (42, 48, 52)}
"""CONFIG_ARM64_VA_BITS by granule (arch/arm64/Kconfig)."""
KINDS = ("pud", "contpmd", "pmd", "contpte", "pte")
"""Leaves, from large to small. A contiguous one is a whole group of entries."""


class Span(NamedTuple):
    """Physical addresses from `start` up to `end`, which is not part of it, in bytes."""

    start: int
    end: int


class Blocks(NamedTuple):
    """How many leaves of each kind map some memory; of the contiguous ones, how many groups."""

    pud: int = 0
    contpmd: int = 0
    pmd: int = 0
    contpte: int = 0
    pte: int = 0

    def plus(self, other: Blocks) -> Blocks:
        """The leaves of both."""
        return Blocks(*(a + b for a, b in zip(self, other, strict=True)))

    def bytes(self, granule: str) -> int:
        """How much memory they map."""
        return sum(n * size for n, size in zip(self, sizes(granule), strict=True))


class Tables(NamedTuple):
    """Tables that a split allocates, each of one page."""

    granule: str
    pmd: int
    """Tables of level 2 entries."""
    pte: int
    """Tables of level 3 entries."""

    @property
    def number(self) -> int:
        """All of them."""
        return self.pmd + self.pte

    @property
    def bytes(self) -> int:
        """Their memory."""
        return self.number * page_bytes(self.granule)


def geometry_of(granule: str) -> Geometry:
    """The geometry of a page size; raise UsageError if Linux has no such."""
    if granule not in GRANULES:
        raise UsageError(f"{quoted(granule)} is no page size", f"write {', '.join(GRANULES)}")
    return GEOMETRIES[granule]


def page_bytes(granule: str) -> int:
    """Bytes of a page, and of a table."""
    return geometry_of(granule).page_words * 8


def sizes(granule: str) -> tuple[int, ...]:
    """Bytes that a leaf of each kind maps, or a whole group of contiguous ones; in order of KINDS.

    A granule without level 1 blocks has the size all the same.
    """
    geometry, page = geometry_of(granule), page_bytes(granule)
    block = geometry.pages(2) * page
    return (
        geometry.pages(1) * page,
        geometry.group(2) * block,
        block,
        geometry.group(3) * page,
        page,
    )


def require_va_bits(granule: str, va_bits: int) -> None:
    """Raise UsageError unless a kernel can be built like that."""
    geometry_of(granule)
    if va_bits not in VA_BITS[granule]:
        known = ", ".join(map(str, VA_BITS[granule]))
        raise UsageError(f"no kernel has {granule} pages and {va_bits}-bit addresses", known)


def split_tables(blocks: Blocks, granule: str) -> Tables:
    """The tables that it takes to split these leaves to pages."""
    geometry = geometry_of(granule)
    below = blocks.pud * geometry.entries
    return Tables(granule, blocks.pud, below + blocks.contpmd * geometry.group(2) + blocks.pmd)


def map_memory(
    ram: Iterable[Span],
    granule: str,
    *,
    va_bits: int = 48,
    kernel: Span | None = None,
    largest: str = "pud",
) -> Blocks:
    """The leaves of the linear map that a split will find: mmu.c:map_mem, without the kernel.

    `kernel` is [_stext, __init_begin), whose alias is mapped by itself and keeps its blocks.
    `largest` is the kind of leaf beyond which the map does not go (`pte`: pages from the start).
    Raise UsageError if RAM does not fit into the linear map, half of the virtual addresses.
    """
    require_va_bits(granule, va_bits)
    if largest not in KINDS:
        raise UsageError(f"there are no leaves {quoted(largest)}", f"write {', '.join(KINDS)}")
    spans = _merged(ram, page_bytes(granule))
    _require_room(spans, granule, va_bits)
    kinds = [
        (kind, size)
        for kind, size in zip(KINDS, sizes(granule), strict=True)
        if KINDS.index(kind) >= KINDS.index(largest)
        and (kind != "pud" or GEOMETRIES[granule].level1_blocks)
    ]
    counts = dict.fromkeys(KINDS, 0)
    for span in _without(spans, kernel):
        _map(span, kinds, counts)
    return Blocks(**counts)


def table_bytes(
    ram: Iterable[Span],
    granule: str,
    *,
    va_bits: int = 48,
    kernel: Span | None = None,
    largest: str = "pud",
) -> int:
    """Bytes of tables that a split of this RAM's linear map to pages adds (`map_memory`)."""
    blocks = map_memory(ram, granule, va_bits=va_bits, kernel=kernel, largest=largest)
    return split_tables(blocks, granule).bytes


def _map(span: Span, kinds: list[tuple[str, int]], counts: dict[str, int]) -> None:
    """mmu.c:alloc_init_pud and what it calls: the largest leaf, wherever a whole one fits."""
    start, end = span
    if start >= end:
        return
    (kind, size), *smaller = kinds
    first, last = -(-start // size) * size, end // size * size
    if first >= last:
        _map(span, smaller, counts)
        return
    counts[kind] += (last - first) // size
    _map(Span(start, first), smaller, counts)
    _map(Span(last, end), smaller, counts)


def _merged(ram: Iterable[Span], page: int) -> list[Span]:
    """RAM in order, in whole pages; what touches is one (memblock.c:memblock_add_range)."""
    found: list[Span] = []
    for span in sorted(ram):
        if not 0 <= span.start < span.end:
            raise UsageError(f"RAM from {span.start:#x} to {span.end:#x}: it ends where it begins")
        start, end = span.start // page * page, -(-span.end // page) * page
        if found and start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, end))
        else:
            found.append(Span(start, end))
    if not found:
        raise UsageError("there is no RAM")
    return found


def _require_room(spans: list[Span], granule: str, va_bits: int) -> None:
    """Refuse what does not fit into the linear map; Linux would leave the rest of it unused."""
    room = 1 << va_bits - 1
    reach = spans[-1].end - spans[0].start
    if reach > room:
        raise UsageError(
            f"RAM reaches over {reach / 2**30:,.0f} GiB of addresses, and a linear map with "
            f"{granule} pages and {va_bits}-bit addresses has {room >> 30:,}",
            "take less RAM, or more address bits",
        )


def _without(spans: list[Span], kernel: Span | None) -> Iterator[Span]:
    """Memory but the kernel's."""
    for span in spans:
        if kernel is None or kernel.end <= span.start or span.end <= kernel.start:
            yield span
            continue
        yield Span(span.start, kernel.start)
        yield Span(kernel.end, span.end)
