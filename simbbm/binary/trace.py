"""The sequence of architectural operations of one CPU, as people read it.

Computation and accesses to what is the CPU's own, or never changes, are left out; runs of plain
loads and stores of the same kind are one line, as are MRS, which read what the CPU wrote itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simbbm.arm64.descriptor import TABLE, leaf, leaves
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.binary.a64.operations import Access, ReadRegister, Store, WriteRegister
from simbbm.binary.booted import RAM
from simbbm.binary.codec import descriptor, ttbr
from simbbm.binary.kernel import Kernel, told
from simbbm.binary.memory import NothingThere
from simbbm.binary.process import SHARED, Process

FUNCTION = "linear_map_split_to_ptes"
"""What stop_machine() calls on every CPU."""
AS_WANTED = "pages, which map the same memory with the same attributes"
"""How the outcome ends that a split has to have."""
PLAIN_LOAD, PLAIN_STORE = "ldr", "str"


class Line(NamedTuple):
    """An operation, or a run of alike ones."""

    cpu: int
    place: str
    """The first instruction: split_pmd+0x58."""
    operation: str
    """"dsb ishst", "str"."""
    what: str
    """What is accessed; empty if it is no access."""
    times: int


class Trace(NamedTuple):
    """What one CPU does."""

    cpu: int
    executed: int
    """Instructions."""
    lines: tuple[Line, ...]
    outcome: str
    """What became of the block, in words; empty for a CPU that does not split it."""


def trace(kernel: Kernel, cpu: int) -> Trace:
    """Run the split on one CPU: 0 boots, and is alone; any other one waits in the idmap."""
    process = Process(kernel, FUNCTION, cpu=cpu, online=cpu + 1)
    lines = tuple(_folded(cpu, _shared(process)))
    return Trace(cpu, process.executed, lines, "" if cpu else outcome(process))


def outcome(process: Process) -> str:
    """What the tables say of the block, now that they have been written."""
    memory, at = process.booted.memory, process.booted.addresses
    table, level = process.kernel.symbols.address("swapper_pg_dir"), 4 - at.levels
    try:
        found = descriptor(memory.read(table, 8), level, at.shift)
        while found.kind == TABLE:
            table, level = at.virtual(8 * found.output), level + 1
            found = descriptor(memory.read(table, 8), level, at.shift)
        count = 1 << at.shift - 3
        words = (memory.read(table + 8 * n, 8) for n in range(count))
        entries = [descriptor(word, level, at.shift) for word in words]
    except NothingThere as nothing:
        return f"the block: its tables lead to {nothing}, where nothing is"
    if level != LEAF_LEVEL:
        return f"the block is as it was: a leaf at level {level}"
    wanted = leaves(leaf(RAM >> at.shift), 1, count)
    wrong = [n for n, (a, b) in enumerate(zip(entries, wanted, strict=True)) if a != b]
    if wrong:
        return f"the block became {count:,} entries, of which {wrong[0]} is {entries[wrong[0]]}"
    return f"the block became {count:,} {AS_WANTED}"


def _written(process: Process, operation: WriteRegister) -> str:
    """What an MSR says: of a TTBR the table by its name and the ASID, of TCR the idmap's size."""
    if operation.register == "tcr_el1":
        return f"T0SZ {operation.value & 63}"
    if not operation.register.startswith("ttbr"):
        return ""
    return ttbr_told(process, operation.value)


def ttbr_told(process: Process, word: int) -> str:
    """A TTBR: the table by its name, and what stands with it."""
    value = ttbr(word)
    name = process.kernel.symbols.told(process.booted.memory.virtual(8 * value.baddr))
    asid, cnp = f", asid {value.asid}" if value.asid else "", ", cnp" if value.cnp else ""
    return f"{name}{asid}{cnp}"


def _shared(process: Process) -> Iterator[tuple[str, str, str]]:
    """Place, operation and object of what others can notice, or what orders it."""
    for event in process.run():
        what = event.what.partition("+")[0]
        if isinstance(event.operation, ReadRegister):
            continue
        if isinstance(event.operation, Access) and what not in SHARED:
            continue
        name = told(event.operation)
        if name is None:
            name = PLAIN_STORE if isinstance(event.operation, Store) else PLAIN_LOAD
        if isinstance(event.operation, WriteRegister):
            what = _written(process, event.operation)
        elif what == "swapper_pg_dir":
            what = "tables"
        yield event.place, name, what


def _folded(cpu: int, found: Iterable[tuple[str, str, str]]) -> Iterator[Line]:
    """Runs of plain accesses to one object as one line each."""
    last: Line | None = None
    for place, name, what in found:
        plain = name in (PLAIN_LOAD, PLAIN_STORE)
        if last and plain and (name, what) == (last.operation, last.what):
            last = last._replace(times=last.times + 1)
            continue
        if last:
            yield last
        last = Line(cpu, place, name, what, 1)
    if last:
        yield last
