"""Where a test's names are: variables, physical pages, and the tables between them.

Every variable has an entry of its own in the root table, and tables of its own below it, so that
one can be changed without another. Descriptors can always be read and written, at their physical
addresses.

A second tree of tables (`x@newtab`) has its own root and, for the variables that are mapped in it,
its own tables; the others share theirs with the first tree. `table(newtab)` is the table of it that
fits below the entry where it is put, and a TTBR with that name holds its root.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.descriptor import (
    INVALID_DESCRIPTOR,
    Attributes,
    Descriptor,
    leaf,
    table,
)
from simbbm.arm64.execution.listing import Place
from simbbm.arm64.geometry import LEAF_LEVEL, Geometry
from simbbm.arm64.registers import Ttbr
from simbbm.litmus.notation.checks import names_of
from simbbm.litmus.notation.conditions import EntryIs, atoms
from simbbm.litmus.notation.reader import LitmusTest
from simbbm.litmus.notation.syntax import (
    ENTRY_BITS,
    PAGE_WORDS,
    Base,
    Constant,
    Entry,
    Location,
    Physical,
)

START_LEVEL = 2
_OUTPUTS = 1 << 20
"""First page of physical data; tables are behind it."""
_TABLES = 1 << 21

PERMISSIONS = {
    "": Attributes(user=True, user_write=True),
    "ro": Attributes(write=False, user=True),
    "el1rw": Attributes(),
    "el1ro": Attributes(write=False),
}
"""What `leaf(pa)`, `leaf(pa,ro)` and so on permit: without a flag, everything at both levels."""

Key = tuple[str, int, str]
"""A table: its tree, its level, and the variable that it is for; a root is for all."""


class Layout:
    """Addresses of everything that a test names."""

    def __init__(self, test: LitmusTest) -> None:
        self.names = names_of(test)
        used = _locations(test)
        mentioned = {location.variable for location in used}
        self.variables = [v for v in self.names.variables if v in mentioned]
        levels = [location.level for location in used if location.level is not None]
        self.start = min([START_LEVEL, *levels])
        bits = max(ENTRY_BITS, len(self.variables).bit_length())
        self.geometry = Geometry("litmus", bits, PAGE_WORDS, (4, 4), level1_blocks=True)
        self.bits = bits * (LEAF_LEVEL + 1 - self.start)
        self.span = self.geometry.pages(self.start)
        self.trees = [self.names.root, *self.names.trees]
        self._keys = [*self._all_tables()]
        self._entries = test.entries

    def _all_tables(self) -> Iterator[Key]:
        for tree in self.trees:
            yield tree, self.start, ""
            for variable in self._own(tree):
                for level in range(self.start + 1, LEAF_LEVEL + 1):
                    yield tree, level, variable

    def _own(self, tree: str) -> list[str]:
        """Variables that have tables of their own in a tree."""
        if tree == self.names.root:
            return self.variables
        return [v for v in self.names.trees[tree] if v in self.variables]

    # Virtual addresses

    def page(self, location: Location) -> int:
        """Virtual page of a location; slot 0 of the root is left to what no test maps."""
        slot = 1 + self.variables.index(location.variable)
        return slot * self.span + location.offset // PAGE_WORDS

    def page_of_entry(self) -> int:
        """Virtual page at which descriptors would be mapped: none of the variables'."""
        return 0

    def place(self, location: Location) -> Place:
        """Where an access to a location goes."""
        if location.level is not None:
            return Place(self.entry(location), physical=True)
        return Place(self.page(location) * PAGE_WORDS + location.offset % PAGE_WORDS)

    # Physical addresses

    def output(self, name: str) -> int:
        """Physical page, far enough from the next one for a block."""
        return _OUTPUTS + self.names.pages.index(name) * self.span

    def word(self, word: Physical) -> int:
        """Physical word."""
        return self.output(word.page) * PAGE_WORDS + word.offset

    def table(self, tree: str, level: int, variable: str) -> int:
        """Address of a table."""
        key = tree, level, "" if level == self.start else variable
        return (_TABLES + self._keys.index(key)) * PAGE_WORDS

    def entry(self, location: Location) -> int:
        """Address of a descriptor."""
        assert location.level is not None
        tree = location.table or self.names.root
        base = self.table(tree, location.level, location.variable)
        return base + self.geometry.index(self.page(location), location.level)

    # Values

    def constant(self, value: Constant, where: Location | None = None) -> Descriptor | Ttbr | int:
        """What is stored for a value; `where` it is stored says which table `table(T)` is."""
        match value:
            case Base(root=root, asid=asid):
                return Ttbr(self.table(root, self.start, ""), asid)
            case Entry(kind="table", target=tree):
                return self._table_entry(tree, where)
            case Entry(kind="INV", target=target, software=software):
                output = self._output_of(value) if target else 0
                return INVALID_DESCRIPTOR._replace(output=output, software=software)
            case Entry(flags=flags):
                permission = next((f for f in flags if f in PERMISSIONS), "")
                return leaf(
                    self._output_of(value),
                    PERMISSIONS[permission],
                    contiguous="cont" in flags,
                    not_global=True,
                    access_flag="af=0" not in flags,
                )
            case int():
                return value

    def _output_of(self, entry: Entry) -> int:
        return self.output(entry.target) + entry.offset // PAGE_WORDS

    def _table_entry(self, tree: str, where: Location | None) -> Descriptor:
        own = self.names.trees[tree]
        variable = where.variable if where and where.variable in own else own[0]
        level = LEAF_LEVEL if where is None or where.level is None else where.level + 1
        return table(self.table(tree, level, variable))

    def page_name(self, page: int) -> str:
        """Name of a physical page, as it is written in descriptors."""
        for name in self.names.pages:
            if 0 <= page - self.output(name) < self.span:
                return str(Physical(name, (page - self.output(name)) * PAGE_WORDS))
        return hex(page)

    def table_name(self, address: int) -> str:
        """Name of a table: its tree's; of the first tree, what it is the table of."""
        for tree, level, variable in self._keys:
            if self.table(tree, level, variable) == address:
                return tree if tree != self.names.root or not variable else f"of {variable}"
        return hex(address)

    # The whole

    def tables(self) -> dict[int, tuple[Descriptor, ...]]:
        """Every table as it is at the start."""
        contents: dict[int, tuple[Descriptor, ...]] = {}
        for tree, level, variable in self._keys:
            entries = [INVALID_DESCRIPTOR] * self.geometry.entries
            for v in [variable] if variable else self.variables:
                own = v in self._own(tree)
                for location, descriptor in self._at_start(tree if own else "", level, v):
                    index = self.geometry.index(self.page(location), level)
                    entries[index] = descriptor
            contents[self.table(tree, level, variable)] = tuple(entries)
        return contents

    def _at_start(
        self, tree: str, level: int, variable: str
    ) -> Iterator[tuple[Location, Descriptor]]:
        """A variable's descriptors in a table: as `init.map` says, or so that walks go on."""
        named = "" if tree == self.names.root else tree
        if level < LEAF_LEVEL:
            below = self.table(tree or self.names.root, level + 1, variable)
            yield Location(variable), table(below)
        for location, entry in self._entries:
            if (location.table, location.level, location.variable) == (named, level, variable):
                found = self.constant(entry, location)
                assert isinstance(found, Descriptor)
                yield location, found

    def symbols(self) -> dict[int, str]:
        """Names of words, for people."""
        found = {self.page_of_entry() * PAGE_WORDS: "&pte"}
        found |= {self.place(Location(v)).address: v for v in self.variables}
        found |= {self.output(name) * PAGE_WORDS: name for name in self.names.pages}
        for tree, level, variable in self._keys:
            named = "" if tree == self.names.root else tree
            for v in [variable] if variable else self._own(tree):
                location = Location(v, 0, level, named)
                found[self.entry(location)] = str(location)
        found |= {self.entry(e): str(e) for e, _ in self._entries if e.variable in self.variables}
        return found | {self.table(tree, self.start, ""): tree for tree in self.trees}


def _locations(test: LitmusTest) -> list[Location]:
    """Every location that a thread or the condition mentions, and what `init.map` says of those."""
    found = [atom.location for atom in atoms(test.condition) if isinstance(atom, EntryIs)]
    for thread in test.threads:
        for operation in thread.everything:
            found += [operation.location] if operation.location else []
            if operation.tlbi and operation.tlbi.location:
                found.append(operation.tlbi.location)
    used = {location.variable for location in found}
    return found + [location for location, _ in test.entries if location.variable in used]
