"""Whether what a test names is there: locations, tables, threads, registers, operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from simbbm.litmus.notation.conditions import Atom, EntryIs, Faulted, MemoryIs, RegisterIs, atoms
from simbbm.litmus.notation.operations import ACCESSES, Operation
from simbbm.litmus.notation.syntax import (
    LEAF_LEVEL,
    PAGE_WORDS,
    PAGES,
    Base,
    Choice,
    Entry,
    Equal,
    Location,
    Malformed,
    Register,
)

if TYPE_CHECKING:
    from simbbm.litmus.notation.reader import LitmusTest

ROOT = "page_table_base"
"""What the table that walks start from is called where a test does not say."""


class Names(NamedTuple):
    """Everything that a test may name."""

    variables: tuple[str, ...]
    pages: tuple[str, ...]
    """Physical ones."""
    trees: dict[str, tuple[str, ...]]
    """Trees of tables besides the first one, and the variables that are mapped in each anew."""
    root: str
    """Of the first tree."""


def names_of(test: LitmusTest) -> Names:
    """Collect what a test declares: by `init`, by mapping it, by a TTBR that holds it."""
    variables = dict.fromkeys(location.variable for location, _ in test.entries)
    trees: dict[str, dict[str, None]] = {}
    for location, _ in test.entries:
        if location.table:
            trees.setdefault(location.table, {})[location.variable] = None
    roots = [thread.ttbr0.root for thread in test.threads if thread.ttbr0]
    written = [base.root for base in _bases(test)]
    plain = [root for root in roots if root not in trees]
    root = ROOT if ROOT in roots + written or not plain else plain[0]
    trees |= {name: {} for name in plain if name != root}
    trees.pop(root, None)
    targets = [e.target for e in _descriptors(test) if e.kind != "table" and e.target]
    pages = dict.fromkeys([*targets, *(word.page for word, _ in test.data)])
    return Names((*variables,), (*pages,), {name: (*own,) for name, own in trees.items()}, root)


def _values(test: LitmusTest) -> Iterator[object]:
    """Every value that a test writes anywhere before its end."""
    for thread in test.threads:
        for operation in thread.everything:
            value = operation.value
            yield value.value if isinstance(value, Equal) else value
        yield from (value for _, value in thread.registers)


def _bases(test: LitmusTest) -> Iterator[Base]:
    yield from (value for value in _values(test) if isinstance(value, Base))


def _descriptors(test: LitmusTest) -> Iterator[Entry]:
    yield from (entry for _, entry in test.entries)
    yield from (value for value in _values(test) if isinstance(value, Entry))


def check(test: LitmusTest) -> None:
    """Raise Malformed for the first thing that a test names and that is not there."""
    names = names_of(test)
    for location, entry in test.entries:
        what = f"init.map of {location}"
        _check_location(location, names, what)
        _check_entry(entry, names, what, location)
    for word, _ in test.data:
        if word.page in names.variables:
            hint = f"name the page that {word.page} is mapped to"
            raise Malformed(f"init.mem: {word.page} is not a physical page", hint)
    for i, thread in enumerate(test.threads):
        if thread.ttbr0:
            _check_root(thread.ttbr0, names, f"ttbr0 of P{i}")
        for operations, what in (
            (thread.operations, f"P{i} op"),
            (thread.fault or (), f"P{i} fault handler op"),
            (thread.svc or (), f"P{i} svc handler op"),
        ):
            for number, operation in enumerate(operations):
                told = f"{what} {number}: `{operation.text}`"
                _check_operation(operation, names, told)
                if operation.op != "msr":  # What it may not be given, the run says.
                    _check_registers(operation, _written(test, i), f"{told}: nobody writes", i)
                if isinstance(operation.value, Choice) and "fault handler" not in what:
                    raise Malformed(f"{what} {number}: `{operation.text}`: there is no fault here")
    for atom in atoms(test.condition):
        _check_atom(atom, test, names)


def _check_operation(operation: Operation, names: Names, what: str) -> None:
    shootdown = operation.tlbi
    for location in (operation.location, shootdown.location if shootdown else None):
        if location:
            _check_location(location, names, what)
    value = operation.value
    value = value.value if isinstance(value, Equal) else value
    if isinstance(value, Entry):
        _check_entry(value, names, what, operation.location)
    if isinstance(value, Base):
        _check_root(value, names, what)


def _check_registers(operation: Operation, written: list[int], what: str, thread: int) -> None:
    """What reads a register that never has a value says nothing; it is a slip of the pen."""
    value = operation.value
    read = (*operation.address_from, *operation.data_from)
    if isinstance(value, Register | Equal):
        read = (*read, value.number if isinstance(value, Register) else value.register)
    for register in read:
        if register not in written:
            hint = f"P{thread} writes {_listed(f'r{n}' for n in written)}; init.regs gives others"
            raise Malformed(f"{what} r{register} of P{thread}", hint)


def _check_location(location: Location, names: Names, what: str) -> None:
    if location.variable not in names.variables:
        physical = location.variable in names.pages
        why = "is a physical page" if physical else "is unknown"
        told = f"{what}: location {location.variable} {why}"
        raise Malformed(told, f"init.map has {_listed(names.variables)}")
    if location.offset >= PAGES * PAGE_WORDS:
        hint = f"a variable has {PAGES} pages of {PAGE_WORDS:#x}"
        raise Malformed(f"{what}: {location} is too far from {location.variable}", hint)
    if location.table:
        _check_table(location.table, names, what)
        if location.variable not in names.trees[location.table]:
            missing = f"{location.variable} has no descriptor in {location.table}"
            hint = f'"{location.variable}@{location.table}" in init.map makes one'
            raise Malformed(f"{what}: {missing}", hint)


def _check_entry(entry: Entry, names: Names, what: str, location: Location | None = None) -> None:
    if entry.kind == "table":
        _check_table(entry.target, names, what)
        own = names.trees[entry.target]
        if location and location.level == LEAF_LEVEL:
            raise Malformed(f"{what}: {location} cannot hold a table", "write pte(x,L2) = table(T)")
        if len(own) != 1 and not (location and location.variable in own):
            which = _listed(own) if own else "no variable"
            raise Malformed(f"{what}: which table of {entry.target} is meant?", f"it has {which}")
    elif entry.target in names.variables:
        hint = f"a physical page is one like {(*names.pages, 'pa1')[0]}"
        raise Malformed(f"{what}: {entry.target} is not a physical page", hint)


def _check_table(name: str, names: Names, what: str) -> None:
    if name not in names.trees:
        known = _listed(names.trees) if names.trees else 'none; "x@newtab" in init.map makes one'
        raise Malformed(f"{what}: table {name} is unknown", f"tables are {known}")


def _check_root(base: Base, names: Names, what: str) -> None:
    if base.root not in names.trees and base.root != names.root:
        known = _listed([names.root, *names.trees])
        raise Malformed(f"{what}: table {base.root} is unknown", f"roots are {known}")


def _check_atom(atom: Atom, test: LitmusTest, names: Names) -> None:
    what = f"condition on {atom.subject}"
    location = None
    if isinstance(atom, RegisterIs | Faulted) and atom.thread >= len(test.threads):
        raise Malformed(f"{what}: there is no P{atom.thread}", _threads(test))
    match atom:
        case RegisterIs(thread=thread, register=register):
            written = _written(test, thread)
            if register not in written:
                hint = f"P{thread} writes {_listed(f'r{n}' for n in written)}"
                raise Malformed(f"{what}: nobody writes r{register} of P{thread}", hint)
        case MemoryIs(word=word):
            _check_page(word.page, names, what)
        case EntryIs(location=found):
            location = found
            _check_location(location, names, what)
        case Faulted(thread=thread, number=index):
            _check_can_fault(test, thread, index, what)
    if not isinstance(atom, Faulted) and isinstance(atom.value, Entry):
        entry = atom.value
        _check_entry(entry, names, what, location)
        if entry.kind != "table" and entry.target:
            _check_page(entry.target, names, what)


def _check_page(page: str, names: Names, what: str) -> None:
    if page not in names.pages:
        why = "is not a physical page" if page in names.variables else "is unknown"
        raise Malformed(f"{what}: location {page} {why}", f"pages are {_listed(names.pages)}")


def _check_can_fault(test: LitmusTest, thread: int, index: int, what: str) -> None:
    operations = test.threads[thread].operations
    if index >= len(operations):
        raise Malformed(
            f"{what}: P{thread} has no op {index}", f"its last is {len(operations) - 1}"
        )
    operation = operations[index]
    if operation.op not in ACCESSES:
        can = [str(o.number) for o in operations if o.op in ACCESSES]
        raise Malformed(
            f"{what}: op {index} of P{thread} is `{operation.text}`, which cannot fault",
            f"accesses of P{thread} are ops {_listed(can)}",
        )


def _written(test: LitmusTest, thread: int) -> list[int]:
    """Registers of a thread that have a value of their own at some time."""
    own = test.threads[thread]
    by_operation = {o.destination for o in own.everything if o.destination is not None}
    return sorted(by_operation | {number for number, _ in own.registers})


def _threads(test: LitmusTest) -> str:
    return f"threads are P0 to P{len(test.threads) - 1}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
