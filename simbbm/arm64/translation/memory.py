"""Memory: flat, coherent, multi-copy atomic (R18); data words and translation tables.

Which pages are tables is fixed by the scenario. A table's contents are interned, so that real
tables of 512 entries cost nothing to copy or compare.

Not modelled: cacheability, non-shareable domains (a DSB NSH waits as if it were ISH for stores:
fewer behaviours), mixed-size accesses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.descriptor import LEAF, TABLE, Descriptor
from simbbm.core.errors import ScenarioError
from simbbm.core.programs.symbols import Symbol
from simbbm.core.values import Encoded, digest, encode

_BEHIND_OUTPUT = slice(Descriptor._fields.index("output") + 1, None)
"""The fields in which leaves of one run are alike; before the output there is the kind alone."""


class Run(NamedTuple):
    """Neighbouring leaves of one table that continue one another: `count` entries from `index`."""

    index: int  # type: ignore[assignment]
    count: int  # type: ignore[assignment]
    descriptor: Descriptor


Changes = list[tuple[int, Descriptor, Descriptor]]
"""Index, old and new descriptor of entries of one table."""


class Table:
    """The contents of a translation table; interned, compare by identity."""

    __slots__ = ("_digest", "_runs", "children", "entries", "memo")

    def __init__(self, entries: tuple[Descriptor, ...]) -> None:
        self.entries = entries
        self.children = [(i, d.output) for i, d in enumerate(entries) if d.kind == TABLE]
        """Index and output of every table descriptor."""
        self.memo: dict[object, object] = {}
        """What was computed from these contents alone (`walks`)."""
        self._runs: dict[int, list[Run]] = {}
        self._digest: str | None = None

    @property
    def digest(self) -> str:
        """Identifies the contents on every machine."""
        if self._digest is None:
            self._digest = digest(self.entries)
        return self._digest

    def changes(self, after: Table) -> Changes:
        """Every entry that is another one afterwards."""
        pairs = enumerate(zip(self.entries, after.entries, strict=True))
        return [(i, old, new) for i, (old, new) in pairs if old is not new and old != new]

    def runs(self, stride: int) -> list[Run]:
        """Cacheable leaves as runs, where neighbours' outputs are `stride` pages apart."""
        runs = self._runs.get(stride)
        if runs is None:
            runs = self._runs[stride] = []
            for i, d in enumerate(self.entries):
                if d.kind != LEAF or not d.cacheable:
                    continue
                if runs and _continues(d, runs[-1], i, stride):
                    index, count, first = runs[-1]
                    runs[-1] = Run(index, count + 1, first)
                else:
                    runs.append(Run(i, 1, d))
        return runs


def _continues(d: Descriptor, run: Run, index: int, stride: int) -> bool:
    """Whether the leaf at an index is the next one of a run."""
    first = run.descriptor
    return (
        index == run[0] + run[1]
        and d.output == first.output + run[1] * stride
        and d[_BEHIND_OUTPUT] == first[_BEHIND_OUTPUT]
    )


class Tables:
    """Every translation table by its address; interned, compare by identity."""

    __slots__ = ("_digest", "by_address", "memo")

    def __init__(self, by_address: dict[int, Table]) -> None:
        self.by_address = by_address
        self.memo: dict[object, object] = {}
        """What was computed from these tables alone (`walks`)."""
        self._digest: str | None = None

    @property
    def digest(self) -> str:
        """Identifies the contents on every machine."""
        if self._digest is None:
            self._digest = digest(tuple((a, t.digest) for a, t in self.by_address.items()))
        return self._digest


class Memory:
    """A value of the whole memory; interned, compare by identity."""

    __slots__ = ("_content", "data", "tables")

    def __init__(self, tables: Tables, data: dict[int, int]) -> None:
        self.tables = tables
        self.data = data
        self._content: Encoded | None = None

    def content(self) -> Encoded:
        """Everything that identifies it, encoded once: many states share it."""
        if self._content is None:
            self._content = Encoded(encode((self.tables.digest, tuple(self.data.items()))))
        return self._content


class Unreadable(dict[int, int]):
    """Stands for data where only tables may be read (uniform properties)."""

    def get(self, key: int, default: object = None) -> int:  # noqa: ARG002 - a dict's
        """Refuse to be read."""
        raise ScenarioError(
            f"a property that says uniform=True looks at the word {key:#x} of memory",
            "such a property judges a CPU by what it holds and by tables; leave out uniform=True",
        )

    __getitem__ = get


class MemoryPool:
    """Makes memories, each value once."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self._contents: dict[tuple[Descriptor, ...], Table] = {}
        self._tables: dict[tuple[Table, ...], Tables] = {}
        self._memories: dict[tuple[Tables, tuple[tuple[int, int], ...]], Memory] = {}

    def tables(self, by_address: dict[int, tuple[Descriptor, ...]]) -> Tables:
        """Make the tables of a new machine."""
        contents = {a: self._table(by_address[a]) for a in sorted(by_address)}
        return self._intern_tables(contents)

    def memory(self, tables: Tables, data: dict[int, int]) -> Memory:
        """Make a memory; words that are not in `data` are 0."""
        data = {a: v for a, v in sorted(data.items()) if type(v) is not int or v}
        k = (tables, tuple(data.items()))
        memory = self._memories.get(k)
        if memory is None:
            memory = self._memories[k] = Memory(tables, data)
        return memory

    def forget(self) -> None:
        """Drop the pools."""
        self._contents.clear()
        self._tables.clear()
        self._memories.clear()

    def read(self, memory: Memory, address: int) -> Descriptor | int:
        """Read a word: a descriptor where a table is, an int elsewhere."""
        table = memory.tables.by_address.get(address & -self.entries)
        if table is None:
            return memory.data.get(address, 0)
        return table.entries[address & (self.entries - 1)]

    def unfit(self, memory: Memory, address: int, words: tuple[Descriptor | int, ...]) -> bool:
        """Whether words of the wrong kind would be written: ints to tables, descriptors to data."""
        in_table = memory.tables.by_address.get(address & -self.entries) is not None
        kind: Any = Descriptor if in_table else (int, Symbol)
        across = in_table and (address & (self.entries - 1)) + len(words) > self.entries
        return across or not all(isinstance(word, kind) for word in words)

    def write(self, memory: Memory, address: int, words: tuple[Descriptor | int, ...]) -> Memory:
        """Write neighbouring words at `address`, all at once."""
        base = address & -self.entries
        table = memory.tables.by_address.get(base)
        if table is None:
            data = dict(memory.data)
            for offset, word in enumerate(words):
                assert isinstance(word, int | Symbol)
                data[address + offset] = word
            return self.memory(memory.tables, data)
        start = address - base
        entries = list(table.entries)
        entries[start : start + len(words)] = words  # type: ignore[assignment]
        by_address = dict(memory.tables.by_address)
        by_address[base] = self._table(tuple(entries))
        return self.memory(self._intern_tables(by_address), memory.data)

    def _table(self, entries: tuple[Descriptor, ...]) -> Table:
        if len(entries) != self.entries:
            told = f"a table of {len(entries)} entries, where the geometry has {self.entries}"
            raise ScenarioError(told, "every table in Setup(tables=...) has as many entries")
        table = self._contents.get(entries)
        if table is None:
            table = self._contents[entries] = Table(entries)
        return table

    def _intern_tables(self, by_address: dict[int, Table]) -> Tables:
        k = tuple(by_address.values())
        tables = self._tables.get(k)
        if tables is None:
            tables = self._tables[k] = Tables(by_address)
        return tables
