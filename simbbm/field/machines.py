"""A machine as the survey sees it: its CPUs, its memory, and what its kernel was told at boot.

What is None is not known. Nothing is filled in: what follows from not knowing is said where the
answer is made (`modes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simbbm.core.errors import UsageError
from simbbm.field.facts import Confidence
from simbbm.field.known import Known
from simbbm.field.revisions import Revision
from simbbm.host.reading import quoted

CPUS_MAX = 4_096
"""As many as arm64 Linux can be built for (NR_CPUS)."""
KINDS_MAX = 64
"""Kinds of core; machines have up to four, and each is asked as the one that boots."""
ADDRESS_BITS = 52
"""Of physical addresses. What does not fit is no size of a machine's memory."""
PAGE_SIZES = {4_096: "4k", 16_384: "16k", 65_536: "64k"}


UNKNOWN = "an unknown core"


class Kind(NamedTuple):
    """A model of core in a revision; CPUs of one kind are alike."""

    model: tuple[int, int] | None
    """Implementer and part number."""
    revision: Revision | None = None
    bbm: int | None = None
    """ID_AA64MMFR2_EL1.BBM, if somebody has read it."""

    def core(self, known: Known) -> str:
        """The core's name; one that is in no table is told by its numbers."""
        if self.model is None:
            return UNKNOWN
        core = known.cores.get(self.model)
        return core.name if core else "implementer {:#x} part {:#x}".format(*self.model)

    def told(self, known: Known) -> str:
        """Core and revision, as people say it."""
        name = self.core(known)
        return f"{name} {self.revision}" if self.revision else name


class Cpu(NamedTuple):
    """A CPU, by the number that it has in the description."""

    number: int
    kind: Kind
    late: bool | None = False
    """Whether it comes online after the others, when features are settled already."""


class Options(NamedTuple):
    """What decides about the linear map besides CPUs (mmu.c:force_pte_mapping)."""

    rodata: str | None = None
    """The word behind rodata=; None: the default, which is full."""
    full_by_default: bool = True
    """CONFIG_RODATA_FULL_DEFAULT_ENABLED, where a kernel has it."""
    debug_pagealloc: bool = False
    kfence: bool | None = None
    """Whether KFENCE's pool is initialised late, so that it may be anywhere in the linear map."""
    realm: bool | None = None


class Machine(NamedTuple):
    """A machine, as it was collected, described, or found in a table."""

    name: str
    cpus: tuple[Cpu, ...]
    boots: int | None = None
    """Number of the CPU that boots; None: not known."""
    boots_confidence: Confidence = "verified"
    source: str | None = None
    """Of a SoC of the tables: where its row is from."""
    page_size: int | None = None
    memory: int | None = None
    """Bytes of RAM."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Where RAM is, in bytes, first and behind the last; () if only its size is known."""
    options: Options = Options()
    release: str | None = None
    """Of the kernel that runs on it."""
    counted: bool = True
    """Whether it is known how many CPUs of each kind there are; else there is one of each."""
    notes: tuple[str, ...] = ()
    """What could not be read, and what contradicts itself; a line each."""

    def kinds(self) -> dict[Kind, tuple[int, ...]]:
        """The kinds of its CPUs with their numbers, the one that boots first."""
        found: dict[Kind, list[int]] = {}
        for cpu in sorted(self.cpus, key=lambda cpu: (cpu.number != self.boots, cpu.number)):
            found.setdefault(cpu.kind, []).append(cpu.number)
        return {kind: tuple(sorted(numbers)) for kind, numbers in found.items()}

    def others(self, boots: Kind) -> list[Cpu]:
        """All CPUs but one of a kind, which boots."""
        same = [cpu.number for cpu in self.cpus if cpu.kind == boots]
        booting = self.boots if self.boots in same else same[0]
        return [cpu for cpu in self.cpus if cpu.number != booting]


def require_possible(machine: Machine, where: str) -> Machine:
    """The machine itself; UsageError if no machine is like that."""
    require_few_cpus(len(machine.cpus), where)
    if (kinds := len(machine.kinds())) > KINDS_MAX:
        raise UsageError(f"{where}: {kinds:,} kinds of core", f"no machine has over {KINDS_MAX}")
    return machine


def require_few_cpus(count: int, where: str) -> None:
    """Raise UsageError for more CPUs than any machine has."""
    if count > CPUS_MAX:
        raise UsageError(f"{where}: more than {CPUS_MAX:,} CPUs", "arm64 Linux has no more")


def one_line(text: str) -> str:
    """Somebody's text in one line that is not long."""
    return quoted(" ".join(text.split()))


def spans(numbers: Iterable[int]) -> str:
    """Numbers as the kernel writes lists of CPUs: 0-3,8."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
