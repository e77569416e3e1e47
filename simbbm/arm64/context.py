"""What the parts of one machine share: geometry, pools, names, and the exception vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

from simbbm.arm64.cpu import CpuPool, CpuState
from simbbm.arm64.features import Hardware
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.memory import Memory, MemoryPool
from simbbm.arm64.mmu import Mmus
from simbbm.arm64.view import View
from simbbm.core.automaton import Automaton
from simbbm.core.program import Program


@dataclass(eq=False)
class Shared:
    """Shared by all CPUs of one machine; nothing in it changes while a machine runs."""

    geometry: Geometry
    hardware: Hardware
    automaton: Automaton
    handler: Program | None
    """What runs at VBAR: called with the CPU handle and an `Aborted`."""
    symbols: dict[int, str]
    """Names of word addresses, virtual and physical."""
    watch_stale: bool
    """Whether a stale translation that is used is a problem (`no_stale_translation`)."""
    speculative: tuple[int, ...]
    """Pages that concrete walkers speculate on."""
    memories: MemoryPool = field(init=False)
    mmus: Mmus = field(init=False)
    cpus: CpuPool = field(default_factory=CpuPool)

    def __post_init__(self) -> None:
        self.memories = MemoryPool(self.geometry.entries)
        self.mmus = Mmus(self.geometry, self.hardware)

    def name(self, address: int) -> str:
        """Name of a word address, or the address itself."""
        return self.symbols.get(address) or f"{address:#x}"

    def view(self, state: CpuState, memory: Memory) -> View:
        """What a CPU holds and reaches."""
        return self.mmus.view(state.mmu, memory.tables)
