"""What the parts of one machine share: geometry, pools, names, and the exception vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuPool, CpuState
from simbbm.arm64.features import Hardware
from simbbm.arm64.translation.geometry import Geometry
from simbbm.arm64.translation.memory import Memory, MemoryPool
from simbbm.arm64.translation.mmu import Mmus
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.view import View
from simbbm.core.programs.automaton import Automaton
from simbbm.core.programs.program import Program


class Region(NamedTuple):
    """A range of virtual pages with a name."""

    first: int
    pages: int
    name: str


@dataclass(eq=False)
class Shared:
    """Shared by all CPUs of one machine; nothing in it changes while a machine runs."""

    geometry: Geometry
    hardware: Hardware
    automaton: Automaton
    handler: Program | None
    """What runs at VBAR: called with the CPU handle, an `Aborted` and `handler_args`."""
    symbols: Mapping[int, str]
    """Names of words and of tables (by first word), virtual and physical."""
    regions: tuple[Region, ...]
    """Names of ranges of virtual pages."""
    tables: frozenset[int]
    """Addresses, virtual and physical, at which a named table starts."""
    watch_stale: bool
    """Whether a stale translation that is used is a problem (`no_stale_translation`)."""
    speculative: tuple[int, ...]
    """Pages that concrete walkers speculate on."""
    constant: tuple[frozenset[int], ...] = ()
    """Per CPU, the pages whose translation nothing in any listing can change."""
    handler_args: tuple[Any, ...] = ()
    memories: MemoryPool = field(init=False)
    mmus: Mmus = field(init=False)
    cpus: CpuPool = field(default_factory=CpuPool)

    def __post_init__(self) -> None:
        self.memories = MemoryPool(self.geometry.entries)
        self.mmus = Mmus(self.geometry, self.hardware)

    def ablated(self, rule: str) -> bool:
        """Whether a rule is switched off, in a test of the tests."""
        return rule in self.hardware.ablations

    def name(self, address: int) -> str:
        """Name of a word: its own, its table's with an index, or its page's with an offset."""
        base = self.geometry.table(address)
        if base in self.tables:
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

    def tlbi_name(self, tlbi: Tlbi) -> str:
        """Name of a TLBI with its operands."""
        page = "" if tlbi.page is None else f" {self.page_name(tlbi.page)}"
        return f"{tlbi}{page}" + ("" if tlbi.asid is None else f" asid={tlbi.asid}")

    def view(self, state: CpuState, memory: Memory) -> View:
        """What a CPU holds and reaches."""
        return self.mmus.view(state.mmu, memory.tables)
