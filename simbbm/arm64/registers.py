"""System registers of the EL1&0 regime, both stages, and the values that a walk may use.

Between an MSR and the next context synchronisation event a walk may use the old or the new value
(R15), so the MMU keeps, per register, every value that may be in effect; the last is the newest.

Simplified: a register's possible values are combined freely with those of the others (more
behaviours than hardware that applies writes in order could show).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from simbbm.arm64.geometry import KERNEL_PAGE


class Ttbr(NamedTuple):
    """TTBR0_EL1 or TTBR1_EL1: word address of the root table, an ASID, and CnP."""

    baddr: int
    asid: int = 0
    cnp: bool = False
    """Common not Private: CPUs with this table and CnP may use each other's cached entries."""

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        return self if self.cnp else self[:2]


class Sgi(NamedTuple):
    """ICC_SGI1R_EL1: which software-generated interrupt (INTID 0 to 15), and for whom.

    `target` is the number of one CPU; None (IRM) are all CPUs but the one that writes.
    """

    intid: int
    target: int | None = None

    def is_for(self, number: int, sender: int) -> bool:
        """Whether CPU `number` gets it."""
        return number != sender if self.target is None else number == self.target


class CpuOn(NamedTuple):
    """PSCI's CPU_ON: which CPU is to come out of reset."""

    target: int

    def is_for(self, number: int, sender: int) -> bool:  # noqa: ARG002 - as of an SGI
        """Whether CPU `number` is meant."""
        return number == self.target


Signal = Sgi | CpuOn
"""What one CPU sends another without memory."""


class Sctlr(NamedTuple):
    """SCTLR_EL1: whether the MMU is on. While it is off, addresses are physical."""

    m: bool = True


OFF_MMU, ON_MMU = Sctlr(m=False), Sctlr()


class Tcr(NamedTuple):
    """TCR_EL1. `t0_bits` and `t1_bits` are page-number bits: 2**bits pages per half (64 - TxSZ)."""

    t0_bits: int
    t1_bits: int
    a1: bool = True
    """The ASID is TTBR1's (Linux sets it); else TTBR0's."""
    epd0: bool = False
    epd1: bool = False


class Vttbr(NamedTuple):
    """VTTBR_EL2 and VTCR_EL2: the root table of stage 2, a VMID, and page-number bits of an IPA.

    VMIDs start at 1: 0 stands for what is not under stage 2.
    """

    baddr: int
    vmid: int
    bits: int

    @property
    def regime(self) -> Regime:
        """Stage 2 as a regime of its own: its addresses are IPAs, from page 0 on."""
        tcr = Tcr(self.bits, 0, epd1=True)
        return Regime((Ttbr(self.baddr),), (Ttbr(0),), (tcr,))


Register = Ttbr | Tcr | Sctlr | Vttbr
"""What a register of a regime holds."""


class Regime(NamedTuple):
    """Possible values of the registers that translation depends on; the last is the newest."""

    ttbr0: tuple[Ttbr, ...]
    ttbr1: tuple[Ttbr, ...]
    tcr: tuple[Tcr, ...]
    vttbr: tuple[Vttbr, ...] = ()
    """None: there is no stage 2, and no EL2."""
    sctlr: tuple[Sctlr, ...] = (ON_MMU,)

    def recorded(self) -> tuple[Any, ...]:
        """What digests are made of (`core.values.encode`)."""
        parts: tuple[Any, ...] = self[:4] if self.vttbr else self[:3]
        return parts if self.sctlr == (ON_MMU,) else (*parts, self.sctlr)

    @property
    def settled(self) -> bool:
        """Whether no write of a register is pending."""
        return all(len(values) < 2 for values in self)

    def synchronised(self) -> Regime:
        """After a context synchronisation event only the newest values are in effect."""
        return Regime(
            self.ttbr0[-1:], self.ttbr1[-1:], self.tcr[-1:], self.vttbr[-1:], self.sctlr[-1:]
        )

    def written(self, name: str, value: Register, *, at_once: bool) -> Regime:
        """After an MSR, with the old values still possible unless `at_once`."""
        old = getattr(self, name)
        new = (value,) if at_once else (*(v for v in old if v != value), value)
        return self._replace(**{name: new})

    def newest(self, name: str) -> Register:
        """What an MRS reads: the value that was written last."""
        value: Register = getattr(self, name)[-1]
        return value

    def contexts(self) -> Iterator[Context]:
        """Every combination that a walk may use."""
        for sctlr in self.sctlr:
            for tcr in self.tcr:
                for ttbr0 in self.ttbr0:
                    for ttbr1 in self.ttbr1:
                        yield Context(ttbr0, ttbr1, tcr, sctlr.m)


class Context(NamedTuple):
    """One combination of register values, as a walk uses it."""

    ttbr0: Ttbr
    ttbr1: Ttbr
    tcr: Tcr
    mmu_on: bool = True

    @property
    def asid(self) -> int:
        """The current ASID."""
        return self.ttbr1.asid if self.tcr.a1 else self.ttbr0.asid

    def roots(self) -> Iterator[tuple[int, int, int]]:
        """Root table, first page and page-number bits of each half on which walks are enabled."""
        if not self.mmu_on:
            return
        if not self.tcr.epd0:
            yield self.ttbr0.baddr, 0, self.tcr.t0_bits
        if not self.tcr.epd1:
            yield self.ttbr1.baddr, KERNEL_PAGE, self.tcr.t1_bits


WALKS_NOTHING = Regime((Ttbr(0),), (Ttbr(0),), (Tcr(0, 0, epd0=True, epd1=True),))
"""Under which there are no walks."""
