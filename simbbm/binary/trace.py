"""The sequence of architectural operations of one CPU, as people read it.

Computation and accesses to what is the CPU's own, or never changes, are left out; runs of plain
loads and stores of the same kind are one line, as are MRS, which read what the CPU wrote itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simbbm.binary.a64.operations import Access, ReadRegister, Store, WriteRegister
from simbbm.binary.kernel import Kernel, told
from simbbm.binary.process import SHARED, Event, Process

FUNCTION = "linear_map_split_to_ptes"
"""What stop_machine() calls on every CPU."""
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


def trace(kernel: Kernel, cpu: int) -> Trace:
    """Run the split on one CPU: 0 boots, and is alone; any other one waits in the idmap."""
    process = Process(kernel, FUNCTION, cpu=cpu, online=cpu + 1)
    lines = tuple(_folded(cpu, _shared(process.run())))
    return Trace(cpu, process.executed, lines)


def _shared(events: Iterable[Event]) -> Iterator[tuple[str, str, str]]:
    """Place, operation and object of what others can notice, or what orders it."""
    for event in events:
        what = event.what.partition("+")[0]
        if isinstance(event.operation, ReadRegister):
            continue
        if isinstance(event.operation, Access) and what not in SHARED:
            continue
        name = told(event.operation)
        if name is None:
            name = PLAIN_STORE if isinstance(event.operation, Store) else PLAIN_LOAD
        if isinstance(event.operation, WriteRegister):
            what = ""
        yield event.place, name, "tables" if what == "swapper_pg_dir" else what


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
