"""Power-on: a CPU that comes out of reset at any time, or once PSCI's CPU_ON has called it (R26).

Out of reset the MMU is off (SCTLR_EL1.M), DAIF is masked, and what the architecture calls UNKNOWN
is just that: the event register may be set or not, and the TLB may hold anything. Since nobody can
say what, it holds an entry for each page of both halves that leads to memory which is not there
(`UNKNOWN_PAGE`): whoever switches the MMU on before a TLBI has completed is seen to hold two
entries that disagree (`no_tlb_conflict`), or to use the wrong one (`no_stale_translation`).

Until then the CPU takes no step. It is no part of the system: an SEV before that is lost.

Simplified: what TTBR0, TTBR1 and TCR hold out of reset is what the scenario says (misses a CPU that
never writes them); no table entry is unknown, only leaves (misses a TLBI that keeps tables);
CPU_ON waits for earlier DSBs alone, though a firmware may have one of its own (cries wolf); no CPU
goes off again (misses). No CPU under stage 2 is reset, or has its MMU off: that is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import COMING, ON, CpuState, Effect, LocalMove
from simbbm.arm64.descriptor import Attributes
from simbbm.arm64.geometry import KERNEL_PAGE, LEAF_LEVEL
from simbbm.arm64.registers import OFF_MMU, Regime
from simbbm.arm64.translation.memory import Memory
from simbbm.arm64.translation.tlb import GLOBAL, LeafEntry

RESET = "reset"
"""Kind of the move by which a CPU comes out of reset."""
UNKNOWN_PAGE = 1 << 40
"""The page of memory to which an unknown entry leads for page 0: nothing is there."""
_ANY = Attributes(user=True, user_write=True, execute=True)


def at_reset(regime: Regime) -> Regime:
    """The registers of a CPU at reset: the MMU is off."""
    return regime._replace(sctlr=(OFF_MMU,))


def comes_up(shared: Shared, state: CpuState, memory: Memory) -> Iterator[LocalMove]:
    """A CPU comes out of reset, if it has been called."""
    if state.power != COMING:
        return
    unknown = shared.hardware.unknown_reset
    filled = unknown and not shared.ablated("reset-leaves-entries")
    leaves = unknown_entries(state.mmu.regime) if filled else ()
    after = shared.cpus.change(
        state,
        power=ON,
        event=None if unknown else False,
        mmu=shared.mmus.start(state.mmu.regime, memory.tables, leaves=leaves),
    )
    yield LocalMove(RESET, "", Effect(after))


def unknown_entries(regime: Regime) -> tuple[LeafEntry, ...]:
    """What a TLB may hold at reset: of each half one entry for all its pages."""
    tcr = regime.tcr[-1]
    halves = ((0, tcr.t0_bits), (KERNEL_PAGE, tcr.t1_bits))
    return tuple(
        LeafEntry(
            LEAF_LEVEL,
            first,
            1 << bits,
            UNKNOWN_PAGE + first % KERNEL_PAGE,
            _ANY,
            contiguous=False,
            group=False,
            asid=GLOBAL,
        )
        for first, bits in halves
    )
