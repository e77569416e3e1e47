"""The leaves of a linear map, and the tables of a split, against counting them one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from simbbm.arm64.geometry import GEOMETRIES, Geometry
from simbbm.core.choice import Tape
from simbbm.core.errors import UsageError
from simbbm.field.cost.tables import (
    GRANULES,
    KINDS,
    Blocks,
    Span,
    map_memory,
    page_bytes,
    sizes,
    split_tables,
    table_bytes,
)

GIB = 1 << 30
MIB = 1 << 20


def leaves(span: Span, granule: str) -> Iterator[tuple[str, int]]:
    """Every leaf and its first address, entry by entry, as mmu.c:alloc_init_pud goes over them."""
    kinds = dict(zip(KINDS, sizes(granule), strict=True))
    if not GEOMETRIES[granule].level1_blocks:
        del kinds["pud"]
    at = span.start
    while at < span.end:
        for kind, size in kinds.items():
            if at % size == 0 and at + size <= span.end:
                yield kind, at
                at += size
                break


def extra_tables(ram: list[Span], granule: str) -> int:
    """Tables of a map of pages that a map with blocks lacks, found by touching every page."""
    geometry, page = GEOMETRIES[granule], page_bytes(granule)
    before: set[tuple[int, int]] = set()
    after: set[tuple[int, int]] = set()
    for span in ram:
        for kind, at in leaves(span, granule):
            level = {"pud": 1, "contpmd": 2, "pmd": 2}.get(kind, 3)
            before.update(tables_above(geometry, at // page, level))
            size = sizes(granule)[KINDS.index(kind)] // page
            step = min(geometry.entries, size)
            for first in range(at // page, at // page + size, step):
                after.update(tables_above(geometry, first, 3))
    assert before <= after
    return len(after) - len(before)


def tables_above(geometry: Geometry, page: int, leaf: int) -> Iterator[tuple[int, int]]:
    """The tables of levels 2 and 3 on the way to a leaf at this level."""
    for level in range(2, leaf + 1):
        yield level, page // (geometry.pages(level) * geometry.entries)


def some_ram(tape: Tape, granule: str) -> list[Span]:
    """Some ranges that do not touch, at odd places, of some GiB in all."""
    page, found, at = page_bytes(granule), list[Span](), 0
    for _ in range(1 + tape.below(3)):
        units = (page, 16 * page, 2 * MIB, 32 * MIB, 512 * MIB, GIB)
        start = at + page + units[tape.below(6)] * tape.below(3) + page * tape.below(700)
        start = start // page * page
        end = start + units[tape.below(6)] * (1 + tape.below(2)) + page * tape.below(700) + page
        found.append(Span(start, end // page * page))
        at = found[-1].end
    return found


@pytest.mark.parametrize("granule", GRANULES)
def test_counts_are_those_of_a_map_that_is_walked_entry_by_entry(granule: str) -> None:
    tape, seen = Tape(b"ram"), Counter[str]()
    for _ in range(25):
        ram = some_ram(tape, granule)
        kinds = Counter(kind for span in ram for kind, _ in leaves(span, granule))
        blocks = map_memory(ram, granule)

        assert blocks._asdict() == {kind: kinds[kind] for kind in KINDS}
        assert blocks.bytes(granule) == sum(span.end - span.start for span in ram)
        assert split_tables(blocks, granule).number == extra_tables(ram, granule)
        seen.update(kinds)

    kinds_that_occur = {kind for kind in KINDS if seen[kind]}
    large = {"pud"} if granule == "4k" else set()
    assert kinds_that_occur >= large | {"pmd", "contpte", "pte"}


def test_a_level_1_block_takes_a_table_of_blocks_too() -> None:
    assert split_tables(Blocks(pud=1), "4k").bytes == 513 * 4096
    assert split_tables(Blocks(contpmd=1), "4k").bytes == 16 * 4096
    assert split_tables(Blocks(contpmd=1), "16k").bytes == 32 * 16384
    assert split_tables(Blocks(pmd=1), "64k").bytes == 65536
    assert split_tables(Blocks(contpte=9, pte=9), "4k").bytes == 0


@pytest.mark.parametrize(
    ("granule", "gib", "mib"),
    [("4k", 12, 24 + 12 / 256), ("4k", 256, 513), ("16k", 256, 128), ("64k", 1024, 128)],
)
def test_the_memory_of_whole_machines(granule: str, gib: int, mib: float) -> None:
    assert table_bytes([Span(0, gib * GIB)], granule) == mib * MIB


def test_the_kernel_keeps_its_blocks_and_cuts_those_around_it() -> None:
    kernel = Span(2 * MIB, 34 * MIB)
    whole = map_memory([Span(0, GIB)], "4k")
    cut = map_memory([Span(0, GIB)], "4k", kernel=kernel)

    assert whole == Blocks(pud=1)
    assert cut == Blocks(contpmd=30, pmd=1 + 15)
    assert map_memory([Span(0, GIB)], "4k", kernel=Span(GIB, 2 * GIB)) == whole


def test_memory_that_touches_is_one_range_and_pages_are_whole() -> None:
    assert map_memory([Span(MIB, 2 * MIB), Span(0, MIB)], "4k") == Blocks(pmd=1)
    assert map_memory([Span(1, 4095), Span(4097, 4098)], "4k") == Blocks(pte=2)


def test_a_map_without_large_leaves_takes_no_tables() -> None:
    assert table_bytes([Span(0, GIB)], "4k", largest="pte") == 0
    assert map_memory([Span(0, GIB)], "4k", largest="pmd") == Blocks(pmd=512)


@pytest.mark.parametrize(
    ("ram", "granule", "va_bits", "said"),
    [
        ([Span(0, 512 * GIB)], "4k", 39, "has 256"),
        ([Span(0, GIB)], "8k", 48, "no page size"),
        ([Span(0, GIB)], "64k", 39, "64k pages and 39-bit"),
        ([Span(5, 5)], "4k", 48, "ends where it begins"),
        ([], "4k", 48, "no RAM"),
    ],
)
def test_what_no_machine_has_is_refused(
    ram: list[Span], granule: str, va_bits: int, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        map_memory(ram, granule, va_bits=va_bits)
