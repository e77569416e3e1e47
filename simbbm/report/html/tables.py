"""Translation tables as they are drawn: what stands in each, and where each has its place.

A table keeps its place through a run, so that only what changes moves. In large tables neighbouring
entries that continue one another are one row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.geometry import KERNEL_PAGE, LEAF_LEVEL
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Table
from simbbm.arm64.translation.walks import is_leaf, is_table

EVERY_ENTRY = 8
"""Entries up to which each has a row of its own."""
ROWS_MAX = 24
"""Rows that are drawn of one table."""
HEAD = 2
"""What the head of a table and the gap below it take, in rows."""
UNLINKED = LEAF_LEVEL + 1
"""In place of a level: no walk ever comes to the table."""


class Row(NamedTuple):
    """Neighbouring entries of a table: how many from which index, and what they say."""

    first: int
    number: int
    kind: str
    """`table`, `block`, `page` or `invalid`; `leaf` where the level is not known."""
    contiguous: bool
    text: str
    below: int | None
    """The table that it points to."""


class Box(NamedTuple):
    """A table's place in the picture; `top` and `rows` count rows."""

    address: int
    name: str
    level: int
    """Of its entries; `UNLINKED` if no walk comes to it."""
    covers: str
    """The first page that it maps."""
    column: int
    """How far from its root; tables that nothing leads to stand below the roots."""
    top: int
    rows: int


def table_name(shared: Shared, address: int) -> str:
    """A table's name: its first word's without the index."""
    return shared.name(address).removesuffix("[0]")


def rows(shared: Shared, table: Table, level: int) -> list[Row]:
    """What stands in a table whose entries are at `level`."""
    every = len(table.entries) <= EVERY_ENTRY
    found: list[tuple[int, int, Descriptor]] = []
    for index, descriptor in enumerate(table.entries):
        if found and not every:
            first, number, start = found[-1]
            if _continues(shared, start, number, descriptor, level):
                found[-1] = first, number + 1, start
                continue
        found.append((index, 1, descriptor))
    told = [_row(shared, *one, level) for one in found[:ROWS_MAX]]
    if len(found) > ROWS_MAX:
        first = found[ROWS_MAX - 1][0]
        left = len(table.entries) - first
        told[-1] = Row(first, left, "invalid", contiguous=False, text="...", below=None)
    return told


def layout(shared: Shared, states: Iterable[Machine]) -> tuple[Box, ...]:
    """The places of all tables of a run."""
    contents: dict[int, dict[Table, None]] = defaultdict(dict)
    roots: dict[int, tuple[int, int]] = {}
    met = None
    for state in states:
        for pe in state.cpus:
            stages = (pe.mmu.regime, *(vttbr.regime for vttbr in pe.mmu.regime.vttbr))
            for context in (context for stage in stages for context in stage.contexts()):
                for baddr, first, bits in sorted(context.roots(), reverse=True):
                    roots.setdefault(baddr, (shared.geometry.start_level(bits), first))
        if state.memory.tables is not met:
            met = state.memory.tables
            for address, table in met.by_address.items():
                contents[address][table] = None
    placing = _Placing(shared, {a: tuple(t) for a, t in contents.items()})
    for baddr, (level, first) in sorted(roots.items(), key=lambda item: -item[1][1]):
        placing.place(baddr, level, first, 0)
    for address in sorted(contents):
        placing.place(address, UNLINKED, 0, 0)
    return tuple(placing.boxes.values())


class _Placing:
    """Puts tables below one another, each to the right of the one that points to it first."""

    def __init__(self, shared: Shared, contents: dict[int, Sequence[Table]]) -> None:
        self._shared = shared
        self._contents = contents
        self._free: dict[int, int] = defaultdict(int)
        self.boxes: dict[int, Box] = {}

    def place(self, address: int, level: int, first: int, column: int, above: int = 0) -> None:
        """Place a table and all below it, unless that has been done or there is none."""
        if address in self.boxes or address not in self._contents:
            return
        shared, contents = self._shared, self._contents[address]
        size = max(len(rows(shared, table, level)) for table in contents)
        top = max(self._free[column], above)
        self._free[column] = top + size + HEAD
        covers = "" if level == UNLINKED else _covers(shared, first)
        name = table_name(shared, address)
        self.boxes[address] = Box(address, name, level, covers, column, top, size)
        if level < LEAF_LEVEL:
            links = dict.fromkeys(sorted(link for table in contents for link in table.children))
            for index, child in links:
                page = first + index * shared.geometry.pages(level)
                self.place(child, level + 1, page, column + 1, top)


def _covers(shared: Shared, page: int) -> str:
    """A virtual page's name; the name of a word on the physical page would be another thing's."""
    return shared.page_name(page) if page >= KERNEL_PAGE else f"page {page:#x}"


def _continues(
    shared: Shared, start: Descriptor, number: int, descriptor: Descriptor, level: int
) -> bool:
    """Whether a descriptor goes on with what `number` of them before it say."""
    if is_table(descriptor, _like(level)):
        return False
    stride = number * shared.geometry.pages(_like(level)) if descriptor.valid else 0
    return descriptor == start._replace(output=start.output + stride)


def _row(shared: Shared, first: int, number: int, descriptor: Descriptor, level: int) -> Row:
    if is_table(descriptor, _like(level)):
        text = table_name(shared, descriptor.output)
        return Row(first, number, "table", contiguous=False, text=text, below=descriptor.output)
    if not is_leaf(descriptor, _like(level)):
        text = "reserved" if descriptor.valid else " ".join(_kept(descriptor))
        return Row(first, number, "invalid", contiguous=False, text=text, below=None)
    kind = "page" if level == LEAF_LEVEL else "block" if level < LEAF_LEVEL else "leaf"
    text = " ".join((hex(descriptor.output), *_flags(descriptor)))
    return Row(first, number, kind, contiguous=descriptor.contiguous, text=text, below=None)


def _like(level: int) -> int:
    """The level by which descriptors are judged; where none is known, they may be anything."""
    return LEAF_LEVEL - 1 if level == UNLINKED else level


def _kept(descriptor: Descriptor) -> Iterator[str]:
    """What an invalid descriptor says nevertheless."""
    yield "invalid"
    if descriptor.output:
        yield hex(descriptor.output)
    if descriptor.software:
        yield f"software {descriptor.software}"


def _flags(descriptor: Descriptor) -> Iterator[str]:
    if descriptor.attributes.text:
        yield descriptor.attributes.text
    if descriptor.not_global:
        yield "nG"
    if not descriptor.access_flag:
        yield "af=0"
