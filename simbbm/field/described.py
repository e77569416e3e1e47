"""Machines that somebody describes in a few lines of TOML, and those of the tables, by their id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from simbbm.core.errors import UsageError
from simbbm.field.facts import Soc
from simbbm.field.known import Known, nearest_core, parsed
from simbbm.field.machines import (
    ADDRESS_BITS,
    CPUS_MAX,
    PAGE_SIZES,
    Cpu,
    Kind,
    Machine,
    Options,
    one_line,
    require_few_cpus,
    require_possible,
)
from simbbm.field.revisions import midr_from, revision_from
from simbbm.host import reading
from simbbm.host.amounts import SIZE
from simbbm.host.reading import quoted

HINT = "simbbm guide field has an example"


class DescribedCpu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some CPUs that are alike."""

    core: str | None = None
    """A core of the tables, perhaps with its revision: `Cortex-X4 r0p3`."""
    midr: str | None = None
    """MIDR_EL1, in place of that."""
    count: Annotated[int, msgspec.Meta(ge=1, le=CPUS_MAX)] = 1
    bbm: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    """ID_AA64MMFR2_EL1.BBM."""
    late: bool = False
    """Brought online by somebody, after boot."""


class Described(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine."""

    cpu: Annotated[tuple[DescribedCpu, ...], msgspec.Meta(min_length=1)]
    name: str | None = None
    boots: str | None = None
    """Which core boots, as it stands in `core` or `midr`; absent: not known."""
    page_size: str | None = None
    memory: str | None = None
    rodata: str | None = None
    debug_pagealloc: bool = False
    kfence_can_set_direct_map: bool | None = None
    realm: bool | None = None


def described(text: str, where: str, known: Known) -> Machine:
    """Read a description; UsageError, in one line, for what is wrong with it."""
    found: Described = parsed(text, where, Described, HINT)
    require_few_cpus(sum(one.count for one in found.cpu), where)
    cpus: list[Cpu] = []
    booting: dict[Kind, int] = {}
    for one in found.cpu:
        kind = _kind(one, where, known)
        named = found.boots is not None and found.boots.casefold() in _names(one)
        if named and (kind not in booting or cpus[booting[kind]].late):
            booting[kind] = len(cpus)
        cpus += [Cpu(len(cpus) + n, kind, one.late) for n in range(one.count)]
    if found.boots is not None and len(booting) != 1:
        cores = ", ".join(quoted(one.core or one.midr) for one in found.cpu)
        which = "may be one of several kinds" if booting else "is no CPU of it"
        raise UsageError(f"{where}: {quoted(found.boots)} boots, and {which}", f"it has {cores}")
    boots = next(iter(booting.values()), None)
    if all(cpu.late for cpu in (cpus if boots is None else [cpus[boots]])):
        hint = "late = true is of CPUs that somebody brings online after boot"
        raise UsageError(f"{where}: the CPU that boots cannot be late", hint)
    machine = Machine(
        name=one_line(found.name or where),
        cpus=tuple(cpus),
        boots=boots,
        page_size=_page_size(found.page_size, where),
        memory=_memory(found.memory, where),
        options=Options(
            rodata=one_line(found.rodata) if found.rodata else None,
            debug_pagealloc=found.debug_pagealloc,
            kfence=found.kfence_can_set_direct_map,
            realm=found.realm,
        ),
    )
    return require_possible(machine, where)


def _names(one: DescribedCpu) -> set[str]:
    """What some CPUs may be called: by core, with its revision or without, or by MIDR_EL1."""
    names = (one.core, one.midr, _parts(one.core)[0] if one.core else None)
    return {name.casefold() for name in names if name}


def _parts(core: str) -> tuple[str, str | None]:
    """A name, and the revision behind it."""
    name, _, last = core.rpartition(" ")
    return (name, last) if name and revision_from(last) else (core, None)


def _kind(one: DescribedCpu, where: str, known: Known) -> Kind:
    """What some CPUs are; UsageError if nobody knows."""
    if (one.core is None) == (one.midr is None):
        raise UsageError(f"{where}: a cpu has either core or midr", 'core = "Cortex-X4 r0p3"')
    if one.midr is not None:
        midr = midr_from(reading.number(one.midr) or 0)
        if midr is None:
            raise UsageError(f"{where}: {quoted(one.midr)} is no MIDR_EL1", "write 0x410fd821")
        return Kind(midr.model, midr.revision, one.bbm)
    assert one.core is not None
    name, revision = _parts(one.core)
    core = known.core(name)
    if core is None:
        raise UsageError(f"{where}: there is no core {quoted(one.core)}", nearest_core(known, name))
    return Kind(core.model, revision_from(revision) if revision else None, one.bbm)


def _page_size(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    sizes = {name: size for size, name in PAGE_SIZES.items()}
    if text.lower() not in sizes:
        raise UsageError(f"{where}: page_size {quoted(text)}", f"it is {', '.join(sizes)}")
    return sizes[text.lower()]


def _memory(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    size = SIZE.read(text)
    if size is None:
        raise UsageError(f"{where}: memory {quoted(text)} is not {SIZE.told}")
    if size > 1 << ADDRESS_BITS:
        raise UsageError(f"{where}: memory {quoted(text)}: addresses have {ADDRESS_BITS} bits")
    return int(size)


def machine_of(soc: Soc, known: Known) -> Machine:
    """A SoC of the tables as a machine; a core that is not known stands for those that are not."""
    require_few_cpus(sum(one.count or 1 for one in soc.cores), quoted(soc.id))
    cpus = tuple(Cpu(n, kind) for n, kind in enumerate(_kinds(soc, known)))
    boots = next((c.number for c in cpus if soc.boots and _is(c.kind, soc.boots, known)), None)
    notes = [] if soc.complete else ["it has other cores, which are not in the table"]
    return Machine(
        name=soc.name,
        cpus=cpus,
        boots=boots,
        boots_confidence=soc.confidence,
        source=soc.source,
        memory=_memory(soc.memory, soc.id),
        counted=soc.complete and all(one.count for one in soc.cores),
        notes=tuple(notes),
    )


def _kinds(soc: Soc, known: Known) -> Iterator[Kind]:
    for one in soc.cores:
        core = known.core(one.core)
        assert core is not None
        kind = Kind(core.model, revision_from(one.revision) if one.revision else None)
        yield from [kind] * (one.count or 1)
    if not soc.complete:
        yield Kind(None)


def _is(kind: Kind, name: str, known: Known) -> bool:
    core = known.core(name)
    return core is not None and core.model == kind.model
