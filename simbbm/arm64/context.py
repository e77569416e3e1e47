"""The description of a machine, and what its CPUs share: geometry, names, vectors, pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuPool, CpuState
from simbbm.arm64.features import DELAYED, Hardware
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.platform.text import Ic
from simbbm.arm64.translation.memory import Memory, MemoryPool
from simbbm.arm64.translation.mmu import Mmus
from simbbm.arm64.translation.tlb import BY_IPA, Tlbi
from simbbm.arm64.translation.view import View
from simbbm.core.points import Programs
from simbbm.core.program import Program


def ipa_name(page: int) -> str:
    """Name of an intermediate physical page."""
    return f"IPA page {page:#x}"


class Region(NamedTuple):
    """A range of virtual pages with a name."""

    first: int
    pages: int
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """The description of a machine, without its CPUs and its memory.

    A scenario gives it (`Setup`), the machine is made from it (`MachineSpec`), and the CPUs share
    it at run time (`Shared`).
    """

    geometry: Geometry
    hardware: Hardware = DELAYED
    handler: Program | None = None
    """What runs at VBAR: called with the CPU's handle, an `Aborted`, and `handler_args`."""
    handler_args: tuple[Any, ...] = ()
    """Given to `hypervisor`, too."""
    hypervisor: Program | None = None
    """What runs at EL2 when a guest's HVC or a fault of stage 2 is taken there; called alike."""
    symbols: Mapping[int, str] = field(default_factory=dict)
    """Names of words and of tables (by first word), virtual and physical."""
    regions: tuple[Region, ...] = ()
    """Names of ranges of virtual pages."""
    table_names: frozenset[int] = frozenset()
    """Addresses, virtual and physical, at which a named table starts."""
    text: frozenset[int] = frozenset()
    """Words of memory that are fetched as instructions and may change (`platform.text`)."""
    speculative: tuple[int, ...] = ()
    """Pages that concrete walkers speculate on; none: one of each leaf that is mapped."""

    def described(self) -> dict[str, Any]:
        """All fields by name, to make another record from them."""
        return {f.name: getattr(self, f.name) for f in fields(Description)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared(Description):
    """Shared by all CPUs of one machine; nothing in it changes while a machine runs."""

    automaton: Programs
    constant: tuple[frozenset[int], ...]
    """Per CPU, the pages whose translation nothing in any listing can change."""
    memories: MemoryPool
    mmus: Mmus
    cpus: CpuPool
    tlbs: tuple[int, ...] = ()
    """Numbers of the TLBs that several CPUs have in common (`Features.tlb`)."""
    functions: Mapping[int, str] = field(default_factory=dict)
    """Names for numbers that point to functions, for who shows them."""

    def ablated(self, rule: str) -> bool:
        """Whether a rule is switched off, to test that some test notices."""
        return rule in self.hardware.ablations

    def errata(self, state: CpuState) -> tuple[str, ...]:
        """The numbers of the errata that a CPU shows; each can be ablated by its number."""
        if not (self.hardware.errata and state.features.errata):
            return ()
        return tuple(number for number in state.features.errata if not self.ablated(number))

    def name(self, address: int) -> str:
        """Name of a word: its own, its table's with an index, or its page's with an offset."""
        base = self.geometry.table(address)
        if base in self.table_names:
            return f"{self.symbols.get(base, hex(base))}[{address - base}]"
        if address in self.symbols:
            return self.symbols[address]
        page, word = divmod(address, self.geometry.page_words)
        return f"{self.page_name(page)}:{word}"

    def page_name(self, page: int) -> str:
        """Name of a virtual page: its region's with an offset, its first word's, or its number."""
        for region in self.regions:
            if region.first <= page < region.first + region.pages:
                return f"{region.name}+{page - region.first}"
        return self.symbols.get(page * self.geometry.page_words) or f"page {page:#x}"

    def tlbi_name(self, tlbi: Tlbi | Ic) -> str:
        """Name of a TLBI or IC with its operands."""
        if isinstance(tlbi, Ic):
            word = "" if tlbi.word is None else f" {self.name(tlbi.word)}"
            return f"ic {tlbi.op}{word}"
        name = ipa_name if tlbi.op in BY_IPA else self.page_name
        page = "" if tlbi.page is None else f" {name(tlbi.page)}"
        pages = f" +{tlbi.pages} pages" if tlbi.pages > 1 else ""
        asid = "" if tlbi.asid is None else f" asid={tlbi.asid}"
        ttl = f" ttl={tlbi.ttl}" if tlbi.ttl else ""
        return f"{tlbi}{page}{pages}{asid}{ttl}" + (f" vmid={tlbi.vmid}" if tlbi.vmid else "")

    def view(self, state: CpuState, memory: Memory) -> View:
        """The entries that a CPU may hold, and what its walks reach."""
        return self.mmus.view(state.mmu, memory.tables)
