"""`translations_preserved`: sizes may change, and nothing else, on whatever page."""

from __future__ import annotations

import pytest

from simbbm.arm64.descriptor import RO, Attributes, Descriptor, leaf, table
from simbbm.check.properties import translations_preserved
from tests.support import INV, OLD, OTHER, PTES, REGIME, ROOT, SPARE, machine, thread

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


def test_what_was_not_mapped_may_not_be() -> None:
    regime_tables = TABLES | {PTES: (*PAGES[:3], INV)}
    system = machine((thread,), tables=TABLES)
    final = translations_preserved(REGIME, regime_tables).final
    assert final is not None
    problem = final(system.shared, system.initial())

    assert problem is not None
    assert problem.message.endswith("is not translated as at the start")
