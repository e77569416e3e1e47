"""Litmus files: one test a line, as JSON, read into a `LitmusTest` or into one clear error.

A line that cannot be read does not stop the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import check_name, is_one_line, nearest, quoted
from simbbm.litmus.herd.tree import HerdTest
from simbbm.litmus.notation import syntax
from simbbm.litmus.notation.checks import check
from simbbm.litmus.notation.conditions import Condition, condition
from simbbm.litmus.notation.operations import TEXT_MAX, Operation, operation
from simbbm.litmus.notation.syntax import (
    Base,
    Constant,
    Entry,
    Location,
    Malformed,
    Physical,
    Unsupported,
)

Verdict = Literal["forbidden", "allowed"]
DEFAULT_EL = 1
_FAULT, _SVC = -1, -1001
"""Index of the first operation of a handler; further ones count down."""
THREADS_MAX, OPERATIONS_MAX, WORDS_MAX = 16, 256, 256
INFORMATION = ("source", "provenance", "min_model")
"""Keys that published rows have and that mean nothing here."""


class Handlers(msgspec.Struct, forbid_unknown_fields=True):
    """What a thread runs at EL1 when it takes an exception."""

    fault: list[str] | None = None
    svc: list[str] | None = None


class Cpu(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a thread's CPU does besides the notation's default.

    `bbm` is its FEAT_BBM level, `noabort` Linux's promise that level 2 never aborts, `conflict`
    what an access gets when two entries disagree: either of them, or else a conflict abort, or
    else a mixture; without `ntlbpa` it may keep descriptors by physical address.
    """

    bbm: Literal[0, 1, 2, 3] = 0
    noabort: bool = False
    conflict: Literal["either", "abort", "amalgam"] = "either"
    ntlbpa: bool = True


class Init(msgspec.Struct, forbid_unknown_fields=True):
    """How a test starts, as it is written."""

    map: dict[str, str]
    mem: dict[str, int] = {}
    regs: dict[str, Any] | list[dict[str, Any]] = {}
    el: list[int] = []
    ttbr0: list[str | None] = []
    on_fault: Literal["stop"] | dict[str, Handlers] = "stop"
    cpus: list[Cpu] = []


class Row(msgspec.Struct):
    """One line of a file. What is not here is information only."""

    name: str
    threads: list[list[str]]
    init: Init
    condition: str
    verdict: Verdict | None = None
    verdict_ets2: Verdict | None = None
    disputed: list[str] = []
    tags: list[str] = []
    note: str | None = None


class Thread(NamedTuple):
    """One thread of a test."""

    operations: tuple[Operation, ...]
    fault: tuple[Operation, ...] | None
    svc: tuple[Operation, ...] | None
    registers: tuple[tuple[int, Constant], ...]
    el: int
    cpu: Cpu
    ttbr0: Base | None

    @property
    def everything(self) -> tuple[Operation, ...]:
        """Its operations and its handlers'."""
        return (*self.operations, *(self.fault or ()), *(self.svc or ()))


class LitmusTest(NamedTuple):
    """A litmus test."""

    name: str
    threads: tuple[Thread, ...]
    entries: tuple[tuple[Location, Entry], ...]
    """Descriptors that `init.map` names."""
    data: tuple[tuple[Physical, int], ...]
    keeps_registers: bool
    """A thread that stops at a fault keeps its registers as they were (`outcome`)."""
    condition: Condition
    text: str
    """The condition as it was written."""
    verdict: Verdict | None
    note: str | None
    file: str = ""

    @property
    def quantifier(self) -> str:
        """What the condition is asked of: some execution."""
        return "exists"


class Line(NamedTuple):
    """A test, or why there is none."""

    number: int
    name: str
    test: LitmusTest | HerdTest | None = None
    error: UsageError | None = None

    row: Row | None = None
    expected: Verdict | None = None
    """What `--expect` says of it."""
    features: tuple[str, ...] = ()
    """What a test of herd7 uses."""

    def verdict_for(self, *, ets2: bool) -> Verdict | None:
        """Return the verdict that is scored; none where the ETS column is disputed."""
        if self.expected:
            return self.expected
        if self.row is None:
            return self.test.verdict if self.test else None
        if not ets2:
            return self.row.verdict
        disputed = any("ETS" in column for column in self.row.disputed)
        return None if disputed else self.row.verdict_ets2

    @property
    def tags(self) -> list[str]:
        """Its tags; of a test of herd7, what it uses."""
        return self.row.tags if self.row else [*self.features]

    @property
    def unsupported(self) -> bool:
        """Whether the test is well formed and needs what the machine does not have."""
        return isinstance(self.error, Unsupported)


def read_file(path: Path) -> list[Line]:
    """Read a file, line by line; blank lines are none. UsageError if that leaves nothing."""
    check_name(str(path))
    lines = [*_lines(path.as_posix(), reading.text(path))]
    if not lines:
        told = f"{quoted(path)} is empty: there is no test in it"
        raise UsageError(told, "a test is a line of JSON")
    return lines


def _lines(file: str, text: str) -> Iterator[Line]:
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = read_line(file, number, line)
        if found.test and found.name in seen:
            message = f"{file}:{number}: there is a test {found.name} in line {seen[found.name]}"
            found = Line(number, found.name, error=Malformed(message, "give it another name"))
        seen.setdefault(found.name, number)
        yield found


def read_line(file: str, number: int, line: str) -> Line:
    """Read one line."""
    where = f"{file}:{number}"
    name, row = "", None
    try:
        data = reading.json(line)
        name = _name(data)
        row = reading.json(line, Row)
        _check_keys(data)
        _check_sizes(row)
        test = _test(row, file)
        check(test)
    except reading.NotJson as error:
        hint = "a test is one line: a JSON object"
        return Line(number, "", error=Malformed(f"{where}: not JSON: {error.message}", hint))
    except UsageError as error:
        kind = Unsupported if isinstance(error, Unsupported) else Malformed
        told = f"{where}: {name}: {error.message}" if name else f"{where}: {error.message}"
        return Line(number, name, error=kind(told, error.hint), row=row)
    return Line(number, row.name, test, row=row)


def _name(data: Any) -> str:
    """The name in what is JSON and perhaps not a test."""
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) and is_one_line(name) else ""


def _check_keys(data: dict[str, Any]) -> None:
    """Refuse a key that is nearly one that means something; others are information."""
    for key in data:
        near = nearest(key.lower(), Row.__struct_fields__, cutoff=0.75)
        if near and key not in (*Row.__struct_fields__, *INFORMATION):
            raise Malformed(f"there is no key {quoted(key)}", f"did you mean {near}?")


def _check_sizes(row: Row) -> None:
    """Refuse what no test of a reader's size has, and would take for ever to look at."""
    if not row.name or not is_one_line(row.name):
        raise Malformed("a name is one line, and not empty")
    threads = row.threads
    handlers = row.init.on_fault if isinstance(row.init.on_fault, dict) else {}
    lists = [*threads, *(each for h in handlers.values() for each in (h.fault, h.svc) if each)]
    for count, most, what in (
        (len(threads), THREADS_MAX, "threads"),
        (max(map(len, lists), default=0), OPERATIONS_MAX, "operations in a thread or handler"),
        (len(row.init.map) + len(row.init.mem), WORDS_MAX, "words in init"),
    ):
        if count > most:
            raise Malformed(f"{count:,} {what}: more than {most}")
    for text in (*row.init.map, *row.init.map.values(), *row.init.mem):
        if len(text) > TEXT_MAX:
            raise Malformed(f"`{quoted(text)}` is longer than {TEXT_MAX:,} characters")
    for word, value in row.init.mem.items():
        if not 0 <= value < 1 << 64:
            raise Malformed(f"init.mem of {word}: {quoted(value)} is no value of 64 bits")


def _test(row: Row, file: str) -> LitmusTest:
    keys = {key: _entry_location(key) for key in row.init.map}
    names = dict.fromkeys(location.variable for location in keys.values())
    if not row.threads:
        raise Malformed("a test needs a thread")
    count = len(row.threads)
    _check_lengths(row.init, count)
    handlers = _by_thread(row.init.on_fault if row.init.on_fault != "stop" else {}, count)
    registers = _registers(row.init.regs, count)
    threads = tuple(
        _thread(row, i, handlers.get(i) or Handlers(), registers[i], [*names]) for i in range(count)
    )
    return LitmusTest(
        name=row.name,
        threads=threads,
        entries=tuple((keys[key], _descriptor(key, text)) for key, text in row.init.map.items()),
        data=tuple((_word(key), value) for key, value in row.init.mem.items()),
        keeps_registers=row.init.on_fault == "stop",
        condition=condition(row.condition),
        text=row.condition,
        verdict=row.verdict,
        note=row.note,
        file=file,
    )


def _check_lengths(init: Init, count: int) -> None:
    for name, given in (("el", init.el), ("ttbr0", init.ttbr0), ("cpus", init.cpus)):
        if len(given) > count or (name == "el" and given and len(given) < count):
            raise Malformed(f"init.{name} has {len(given)} entries for {count} threads")
    if any(el not in (0, 1) for el in init.el):
        raise Malformed(f"init.el: {init.el}", "threads start at EL 0 or 1")


def _thread(
    row: Row,
    i: int,
    handlers: Handlers,
    registers: tuple[tuple[int, Constant], ...],
    names: list[str],
) -> Thread:
    init = row.init
    if not any(not re.match(r"\s*label\b", text) for text in row.threads[i]):
        raise Malformed(f"P{i} has no operations", 'a thread has at least one, like "isb"')
    ttbr0 = init.ttbr0[i] if i < len(init.ttbr0) else None
    forms = "ttbr(root=page_table_base,asid=1)"
    return Thread(
        _operations(row.threads[i], f"P{i} op", 0, 1, names),
        _handler(handlers.fault, f"P{i} fault handler op", _FAULT, names),
        _handler(handlers.svc, f"P{i} svc handler op", _SVC, names),
        registers,
        init.el[i] if init.el else DEFAULT_EL,
        init.cpus[i] if i < len(init.cpus) else Cpu(),
        syntax.read(ttbr0, syntax.base, f"ttbr0 of P{i}", forms) if ttbr0 else None,
    )


def _handler(
    texts: list[str] | None, what: str, first: int, names: list[str]
) -> tuple[Operation, ...] | None:
    return None if texts is None else _operations(texts, what, first, -1, names)


def _operations(
    texts: list[str], what: str, first: int, step: int, names: list[str]
) -> tuple[Operation, ...]:
    read = []
    for i, text in enumerate(texts):
        try:
            read.append(operation(text, names, first + i * step))
        except UsageError as error:
            raise type(error)(f"{what} {i}: {error.message}", error.hint) from None
    return tuple(read)


def _entry_location(key: str) -> Location:
    """Read a key of `init.map`: `x`, `x@L2`, `x@newtab`, `x+0x1000`, `x@newtab@L2`."""
    plain, at, level = key.rpartition("@")
    if not (at and re.fullmatch(r"L[0-3]", level)):
        plain, level = key, f"L{syntax.LEAF_LEVEL}"
    found = syntax.location(f"pte({plain},{level})")
    if found is None:
        raise Malformed(f"init.map: `{key}` is no location", "write x, x@L2 or x@newtab")
    return found


def _descriptor(key: str, text: str) -> Entry:
    try:
        return syntax.read(text, syntax.entry, "descriptor", syntax.FORMS_OF_A_DESCRIPTOR)
    except Malformed as error:
        raise Malformed(f"init.map of {key}: {error.message}", error.hint) from None


def _word(key: str) -> Physical:
    return syntax.read(key, syntax.physical, "physical page", "pa1 or pa1+8 in init.mem")


def _by_thread(given: Mapping[str, Any], count: int) -> dict[int, Any]:
    """Mapping from `P1` (or `1`) made one from numbers."""
    found = {}
    for key, value in given.items():
        match = syntax.whole(r"P?(\d+)", key)
        thread = match and reading.number(match[1])
        if thread is None or thread >= count:
            raise Malformed(f"there is no thread {quoted(key)}", f"threads are P0 to P{count - 1}")
        found[thread] = value
    return found


def _registers(
    given: dict[str, Any] | list[dict[str, Any]], count: int
) -> list[tuple[tuple[int, Constant], ...]]:
    """Read initial registers: `{"P0": {"r1": 1}}`, `{"0:r1": 1}`, or a list by thread."""
    nested: dict[str, dict[str, Any]] = {}
    if isinstance(given, list):
        nested = {f"P{i}": values for i, values in enumerate(given)}
    else:
        for key, value in given.items():
            thread, colon, name = key.partition(":")
            if colon:
                nested.setdefault(thread, {})[name] = value
            elif isinstance(value, dict):
                nested.setdefault(thread, {}).update(value)
            else:
                raise Malformed(f"init.regs: `{key}` says nothing", 'write {"P0": {"r1": 1}}')
    found = {i: _values(values) for i, values in _by_thread(nested, count).items()}
    return [found.get(i, ()) for i in range(count)]


def _values(given: Mapping[str, Any]) -> tuple[tuple[int, Constant], ...]:
    values: list[tuple[int, Constant]] = []
    for name, text in given.items():
        register = syntax.read(name, syntax.register, "register", "r0, r1, ...")
        values.append((register.number, syntax.read_constant(str(text))))
    return tuple(sorted(values, key=lambda v: v[0]))
