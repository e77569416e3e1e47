"""`translations_preserved`: sizes may change, and nothing else, on whatever page."""

from __future__ import annotations

import pytest

from simbbm.arm64.descriptor import RO, Attributes, Descriptor, leaf, table
from simbbm.check.properties import translations_preserved
from tests.support import INV, OLD, OTHER, PTES, REGIME, ROOT, SPARE, machine, thread

Tables = dict[int, tuple[Descriptor, ...]]
PAGES = tuple(leaf(OLD + i) for i in range(4))
TABLES = {
    ROOT: (table(PTES), leaf(4), INV, INV),
    PTES: PAGES,
    SPARE: PAGES,
    OTHER: (INV,) * 4,
}


def is_preserved(table_descriptor: Descriptor, pages: tuple[Descriptor, ...]) -> bool:
    """Whether the map says the same as at the start with these instead."""
    tables = TABLES | {ROOT: (table_descriptor, *TABLES[ROOT][1:]), PTES: pages}
    system = machine((thread,), tables=tables)
    final = translations_preserved(REGIME, TABLES).final
    assert final is not None
    return final(system.shared, system.initial()) is None


@pytest.mark.parametrize(
    "descriptor", [table(PTES), table(SPARE), leaf(OLD)], ids=["same", "copy", "block"]
)
def test_size_does_not_count(descriptor: Descriptor) -> None:
    assert is_preserved(descriptor, PAGES)


@pytest.mark.parametrize("page", range(4))
@pytest.mark.parametrize(
    "other",
    [
        lambda page: page._replace(attributes=RO),
        lambda page: page._replace(attributes=Attributes("device")),
        lambda page: page._replace(output=page.output + 4),
        lambda page: INV,  # noqa: ARG005
    ],
    ids=["read-only", "device", "elsewhere", "unmapped"],
)
def test_each_page_counts_with_its_attributes(page: int, other: object) -> None:
    """A neighbour with the same offset continues it only if it has the same attributes."""
    pages = (*PAGES[:page], other(PAGES[page]), *PAGES[page + 1 :])  # type: ignore[operator]

    assert not is_preserved(table(PTES), pages)


def judged(before: Tables, after: Tables) -> str | None:
    """What is said where the map was one thing and is another."""
    system = machine((thread,), tables=TABLES | after)
    final = translations_preserved(REGIME, TABLES | before).final
    assert final is not None
    problem = final(system.shared, system.initial())
    return problem.message if problem else None


GROUPED = tuple(page._replace(contiguous=True) for page in PAGES)
BLOCKS = leaf(OLD), leaf(OLD + 4), INV, INV
HOLE = (PAGES[0], INV, *PAGES[2:])
HOLES: dict[str, tuple[Tables, Tables]] = {
    "one page more": ({PTES: (*PAGES[:3], INV)}, {}),
    "one page less": ({}, {PTES: (*PAGES[:3], INV)}),
    "a hole elsewhere": ({PTES: HOLE}, {PTES: (*PAGES[:2], INV, PAGES[3])}),
    "nothing any more": ({}, {ROOT: (INV,) * 4}),
    "nothing before": ({ROOT: (INV,) * 4}, {}),
}


def test_neighbours_of_all_sizes_are_one_stretch() -> None:
    """A table beside a block, and two blocks; the contiguous hint is a size as well."""
    assert judged({ROOT: BLOCKS}, {ROOT: (table(PTES), *BLOCKS[1:])}) is None
    assert judged({PTES: GROUPED}, {}) is None
    assert judged({}, {PTES: GROUPED}) is None


@pytest.mark.parametrize("name", HOLES)
def test_what_is_mapped_is_all_that_was_and_no_more(name: str) -> None:
    before, after = HOLES[name]
    told = judged(before, after)

    assert told is not None
    assert told.endswith("is not translated as at the start")


def test_the_first_that_differs_is_named() -> None:
    told = judged({PTES: HOLE}, {PTES: (PAGES[0], INV, INV, PAGES[3])})

    assert told == "at the end page 0x2 is not translated as at the start"
