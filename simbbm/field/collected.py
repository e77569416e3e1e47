"""Reads what the collector has printed on some machine; it may be of any age, and edited.

What contradicts itself is left out, and said in a note: an answer rests on what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from simbbm.core.errors import UsageError
from simbbm.field.machines import (
    ADDRESS_BITS,
    CPUS_MAX,
    PAGE_SIZES,
    Cpu,
    Kind,
    Machine,
    Options,
    one_line,
    require_possible,
    spans,
)
from simbbm.field.revisions import midr_from
from simbbm.host import reading
from simbbm.host.reading import NotJson, quoted

ARM64 = ("aarch64", "arm64", "armv8l", "aarch64_be")
"""What uname -m says there; armv8l to a 32-bit program."""
COLLECT = "python3 collect.py > box.json, with the file that simbbm survey --collector prints"
UNREAD_MAX = 20
"""Files that are told one by one."""
YES = ("on", "1", "y", "yes", "true")


class CollectedCpu(msgspec.Struct, frozen=True, kw_only=True):
    """A CPU that is there."""

    cpu: Annotated[int, msgspec.Meta(ge=0, lt=CPUS_MAX)]
    online: bool | None = None
    midr: str | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """RAM: bytes, and where it is."""

    bytes: int | None = None
    ranges: tuple[tuple[int, int], ...] = ()


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A file that could not be read."""

    what: str
    why: str


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a collector prints."""

    type: Literal["collected"]
    name: str | None = None
    arch: str | None = None
    release: str | None = None
    page_size: int | None = None
    cmdline: tuple[str, ...] | None = None
    config: dict[str, str | None] | None = None
    cpus: tuple[CollectedCpu, ...]
    memory: Memory = Memory()
    unread: tuple[Unread, ...] = ()


def collected(content: bytes, where: str) -> Machine:
    """Read a collector's answer; UsageError if it is none, or not of an arm64 machine."""
    try:
        found = reading.json(content, Collected)
    except NotJson as error:
        hint = f"it may be cut short: collect it again, {COLLECT}"
        raise UsageError(f"{where}: not whole JSON: {error.message}", hint) from None
    except UsageError as error:
        raise UsageError(
            f"{where}: not what a collector prints: {error.message}", COLLECT
        ) from None
    return machine_of(found, where)


def machine_of(found: Collected, where: str) -> Machine:
    """The machine that a collector has looked at; UsageError if it is not an arm64 one."""
    if found.arch not in ARM64 and not any(cpu.midr for cpu in found.cpus):
        arch = quoted(found.arch or "an architecture that it does not say")
        hint = f"on one that is: {COLLECT}; or describe one, simbbm guide field"
        raise UsageError(f"{where}: {arch}, and not an arm64 machine", hint)
    if not found.cpus:
        raise UsageError(f"{where}: it has no CPU", f"collect it again: {COLLECT}")
    notes: list[str] = []
    words = dict(w.partition("=")[::2] for w in found.cmdline or ())
    cpus = tuple(_cpus(found.cpus, words, notes))
    if found.cmdline is None:
        notes.append("no kernel command line: rodata=full and no debug_pagealloc are assumed")
    page_size = found.page_size
    if page_size is not None and page_size not in PAGE_SIZES:
        notes.append(f"a page of {quoted(page_size)} bytes is none of arm64's: left out")
        page_size = None
    memory, ranges = _memory(found.memory, notes)
    read = {f"/sys/devices/system/cpu/cpu{c.number}/" for c in cpus if c.kind.model is None}
    unread = [u for u in found.unread if not u.what.startswith((*read,))]
    notes += [one_line(f"not read: {u.what}: {u.why}") for u in unread[:UNREAD_MAX]]
    if len(unread) > UNREAD_MAX:
        notes.append(f"not read: {len(unread) - UNREAD_MAX} others")
    machine = Machine(
        name=one_line(found.name or where),
        cpus=cpus,
        boots=0 if any(cpu.number == 0 for cpu in cpus) else None,
        page_size=page_size,
        memory=memory,
        ranges=ranges,
        options=_options(words, found.config or {}),
        release=one_line(found.release) if found.release else None,
        notes=tuple(notes),
    )
    return require_possible(machine, where)


def _cpus(given: Sequence[CollectedCpu], words: dict[str, str], notes: list[str]) -> Iterator[Cpu]:
    """The CPUs, with what is known of each."""
    by_number: dict[int, set[str | None]] = {}
    offline = {cpu.cpu for cpu in given if cpu.online is False}
    for cpu in given:
        by_number.setdefault(cpu.cpu, set()).add(cpu.midr)
    first_late = 1 if "nosmp" in words else reading.decimal(words.get("maxcpus", ""))
    unknown: dict[str, list[int]] = {}
    for number, texts in sorted(by_number.items()):
        kind, why = _kind(texts)
        if why:
            why = "offline, and has no MIDR_EL1" if number in offline and texts == {None} else why
            unknown.setdefault(why, []).append(number)
        late: bool | None = None if number in offline else False
        if first_late is not None:
            late = number >= max(first_late, 1)
        yield Cpu(number, kind, late)
    notes += [f"cpu{spans(numbers)}: {why}" for why, numbers in unknown.items()]


def _kind(texts: set[str | None]) -> tuple[Kind, str | None]:
    """What a CPU is by its MIDR_EL1, or why that is not known."""
    if len(texts) > 1:
        return Kind(None), f"contradicts itself: {quoted(' and '.join(sorted(map(str, texts))))}"
    (text,) = texts
    if text is None:
        return Kind(None), "its MIDR_EL1 could not be read"
    midr = midr_from(reading.number(text) or 0)
    if midr is None:
        return Kind(None), f"{quoted(text)} is no MIDR_EL1"
    return Kind(midr.model, midr.revision), None


def _memory(found: Memory, notes: list[str]) -> tuple[int | None, tuple[tuple[int, int], ...]]:
    """Bytes of RAM and where it is, as far as that can be."""
    ranges = tuple(sorted(found.ranges))
    ends = [0, *(end for _, end in ranges)]
    apart = all(start >= before for (start, _), before in zip(ranges, ends, strict=False))
    if not apart or any(not 0 <= a < b <= 1 << ADDRESS_BITS for a, b in ranges):
        notes.append("its ranges of RAM cannot be: left out")
        ranges = ()
    size = sum(end - start for start, end in ranges)
    if ranges and size < (found.bytes or 0) <= 1 << ADDRESS_BITS:
        notes.append("its ranges of RAM have less than its MemTotal: left out")
        ranges = ()
    if ranges:
        return size, ranges
    if found.bytes is not None and not 0 < found.bytes <= 1 << ADDRESS_BITS:
        notes.append(f"{quoted(found.bytes)} bytes of RAM cannot be: left out")
        return None, ()
    return found.bytes, ()


def _options(words: dict[str, str], config: dict[str, Any]) -> Options:
    """What its kernel was told at boot, and built with."""
    debug = words.get("debug_pagealloc", config.get("DEBUG_PAGEALLOC_ENABLE_DEFAULT"))
    interval = words.get("kfence.sample_interval", config.get("KFENCE_SAMPLE_INTERVAL"))
    kfence = None if interval is None else interval == "0"
    return Options(
        rodata=one_line(words["rodata"]) if words.get("rodata") else None,
        full_by_default=config.get("RODATA_FULL_DEFAULT_ENABLED") != "n",
        debug_pagealloc=str(debug).lower() in YES,
        kfence=False if config.get("KFENCE") == "n" else kfence,
    )
