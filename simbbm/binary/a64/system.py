"""System instructions and exceptions: barriers, hints, TLBI, MSR, MRS, SVC (Arm ARM C4.1.94)."""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.forms import Form, Undefined
from simbbm.binary.a64.operations import (
    Barrier,
    Exception_,
    Hint,
    ReadRegister,
    Stop,
    System,
    Target,
    WriteRegister,
)

OPTIONS = (
    *("#0", "oshld", "oshst", "osh", "#4", "nshld", "nshst", "nsh"),
    *("#8", "ishld", "ishst", "ish", "#12", "ld", "st", "sy"),
)
"""Of DSB and DMB, by CRm; the manual has no name for four of them."""
BARRIERS = {2: "clrex", 4: "dsb", 5: "dmb", 6: "isb", 7: "sb"}
"""By op2."""
HINTS = {2: "wfe", 3: "wfi", 4: "sev", 5: "sevl"}
"""Those that do something; YIELD, BTI, PACIASP, CSDB and all others do nothing here."""
PSTATE = {
    (0, 3): "uao",
    (0, 4): "pan",
    (0, 5): "spsel",
    (1, 0): "allint",
    (3, 1): "ssbs",
    (3, 2): "dit",
    (3, 4): "tco",
    (3, 6): "daifset",
    (3, 7): "daifclr",
}
"""MSR (immediate), by op1 and op2."""

REGISTERS = {
    "midr_el1": (1, 0, 0, 0, 0),
    "mpidr_el1": (1, 0, 0, 0, 5),
    "id_aa64isar0_el1": (1, 0, 0, 6, 0),
    "id_aa64mmfr0_el1": (1, 0, 0, 7, 0),
    "id_aa64mmfr1_el1": (1, 0, 0, 7, 1),
    "id_aa64mmfr2_el1": (1, 0, 0, 7, 2),
    "sctlr_el1": (1, 0, 1, 0, 0),
    "cpacr_el1": (1, 0, 1, 0, 2),
    "ttbr0_el1": (1, 0, 2, 0, 0),
    "ttbr1_el1": (1, 0, 2, 0, 1),
    "tcr_el1": (1, 0, 2, 0, 2),
    "tcr2_el1": (1, 0, 2, 0, 3),
    "spsr_el1": (1, 0, 4, 0, 0),
    "elr_el1": (1, 0, 4, 0, 1),
    "sp_el0": (1, 0, 4, 1, 0),
    "currentel": (1, 0, 4, 2, 2),
    "pan": (1, 0, 4, 2, 3),
    "icc_pmr_el1": (1, 0, 4, 6, 0),
    "esr_el1": (1, 0, 5, 2, 0),
    "far_el1": (1, 0, 6, 0, 0),
    "par_el1": (1, 0, 7, 4, 0),
    "mair_el1": (1, 0, 10, 2, 0),
    "vbar_el1": (1, 0, 12, 0, 0),
    "contextidr_el1": (1, 0, 13, 0, 1),
    "tpidr_el1": (1, 0, 13, 0, 4),
    "cntkctl_el1": (1, 0, 14, 1, 0),
    "daif": (1, 3, 4, 2, 1),
    "fpcr": (1, 3, 4, 4, 0),
    "fpsr": (1, 3, 4, 4, 1),
    "ctr_el0": (1, 3, 0, 0, 1),
    "dczid_el0": (1, 3, 0, 0, 7),
    "tpidr_el0": (1, 3, 13, 0, 2),
    "tpidrro_el0": (1, 3, 13, 0, 3),
    "cntvct_el0": (1, 3, 14, 0, 2),
    "cntvctss_el0": (1, 3, 14, 0, 6),
    "tpidr_el2": (1, 4, 13, 0, 2),
}
"""System registers by name: o0, op1, CRn, CRm, op2 (op0 is 2 + o0)."""
NAMES = {numbers: name for name, numbers in REGISTERS.items()}

SHAREABLE = {1: "os", 3: "is", 7: ""}
TLBI_EL1 = {0: "vmalle1", 1: "vae1", 2: "aside1", 3: "vaae1", 5: "vale1", 7: "vaale1"}
RANGE = {5: "os", 2: "is", 6: ""}
TLBI_RANGE_EL1 = {1: "rvae1", 3: "rvaae1", 5: "rvale1", 7: "rvaale1"}
SYS = {
    **{(0, 8, m, o): ("tlbi", n + s) for m, s in SHAREABLE.items() for o, n in TLBI_EL1.items()},
    **{(0, 8, m, o): ("tlbi", n + s) for m, s in RANGE.items() for o, n in TLBI_RANGE_EL1.items()},
    (0, 7, 1, 0): ("ic", "ialluis"),
    (0, 7, 5, 0): ("ic", "iallu"),
    (3, 7, 5, 1): ("ic", "ivau"),
    (0, 7, 6, 1): ("dc", "ivac"),
    (0, 7, 6, 2): ("dc", "isw"),
    (0, 7, 10, 2): ("dc", "csw"),
    (0, 7, 14, 2): ("dc", "cisw"),
    (3, 7, 4, 1): ("dc", "zva"),
    (3, 7, 10, 1): ("dc", "cvac"),
    (3, 7, 11, 1): ("dc", "cvau"),
    (3, 7, 12, 1): ("dc", "cvap"),
    (3, 7, 14, 1): ("dc", "civac"),
    (0, 7, 8, 0): ("at", "s1e1r"),
    (0, 7, 8, 1): ("at", "s1e1w"),
    (0, 7, 8, 2): ("at", "s1e0r"),
    (0, 7, 8, 3): ("at", "s1e0w"),
}
"""SYS by op1, CRn, CRm, op2: the mnemonic, and what of it. CRn 9 is 8 with nXS."""
WITHOUT_REGISTER = ("vmalle1", "vmalle1is", "vmalle1os", "ialluis", "iallu")


def hint(cpu: Cpu, f: Any) -> Stop | None:  # noqa: ARG001 - no hint reads a register
    """WFE, WFI, SEV, SEVL; anything else is NOP."""
    return Stop(Hint(HINTS[f.op2])) if f.CRm == 0 and f.op2 in HINTS else None


def hint_with_time(cpu: Cpu, f: Any) -> Stop:
    """WFET, WFIT."""
    return Stop(Hint("wfit" if f.interrupt else "wfet", cpu.get(f.Rd)))


def barrier(cpu: Cpu, f: Any) -> Stop:  # noqa: ARG001
    """DSB, DMB, ISB, SB, CLREX."""
    if f.op2 == 1 and f.CRm & 3 == 2:  # DSB nXS
        return Stop(Barrier("dsb", f"{('osh', 'nsh', 'ish', 'sy')[f.CRm >> 2]}nxs"))
    if f.op2 not in BARRIERS:
        raise Undefined
    name = BARRIERS[f.op2]
    if name == "dsb" and f.CRm in (0, 4):
        return Stop(Barrier("ssbb" if f.CRm == 0 else "pssbb"))
    return Stop(Barrier(name, OPTIONS[f.CRm] if name in ("dsb", "dmb") else ""))


def msr_immediate(cpu: Cpu, f: Any) -> Stop:  # noqa: ARG001
    """MSR of a field of PSTATE."""
    if (f.op1, f.op2) not in PSTATE:
        raise Undefined
    return Stop(WriteRegister("msr", PSTATE[f.op1, f.op2], f.CRm))


def move_flags(cpu: Cpu, f: Any) -> None:
    """MSR, MRS of NZCV, a register of the computation; all others are the machine's."""
    if f.L:
        cpu.put(f.Rt, cpu.nzcv << 28)
    else:
        cpu.nzcv = cpu.get(f.Rt) >> 28 & 15


def move_system(cpu: Cpu, f: Any) -> Stop:
    """MSR, MRS."""
    numbers = (f.o0, f.op1, f.CRn, f.CRm, f.op2)
    name = NAMES.get(numbers, f"s{2 + f.o0}_{f.op1}_c{f.CRn}_c{f.CRm}_{f.op2}")
    if f.L:
        return Stop(ReadRegister("mrs", name), (Target(f.Rt, 64),))
    return Stop(WriteRegister("msr", name, cpu.get(f.Rt)))


def system(cpu: Cpu, f: Any) -> Stop:
    """SYS, SYSL: TLBI, IC, DC, AT, by name where there is one."""
    extra = "nxs" if f.CRn == 9 else ""
    row = SYS.get((f.op1, 8 if extra else f.CRn, f.CRm, f.op2))
    if f.L or row is None or (extra and row[0] != "tlbi"):
        what = f"#{f.op1}, c{f.CRn}, c{f.CRm}, #{f.op2}"
        if f.L:
            return Stop(System("sysl", what), (Target(f.Rt, 64),))
        return Stop(System("sys", what, cpu.get(f.Rt)))
    name, what = row
    operand = None if what in WITHOUT_REGISTER else cpu.get(f.Rt)
    return Stop(System(name, f"{what}{extra}", operand))


EXCEPTIONS = {(0, 1): "svc", (0, 2): "hvc", (0, 3): "smc", (1, 0): "brk", (2, 0): "hlt"}
"""By opc and LL."""


def exception(cpu: Cpu, f: Any) -> Stop:  # noqa: ARG001
    """SVC, HVC, SMC, BRK, HLT."""
    name = EXCEPTIONS.get((f.opc3, f.LL2))
    if name is None:
        raise Undefined
    return Stop(Exception_(name, f.imm16))


def exception_return(cpu: Cpu, f: Any) -> Stop:  # noqa: ARG001
    """ERET."""
    return Stop(Exception_("eret"))


def undefined(cpu: Cpu, f: Any) -> Stop:  # noqa: ARG001
    """UDF: padding, and words that were never written."""
    return Stop(Exception_("udf", f.imm16))


FORMS = (
    Form("hint", "1101010100 0 00 011 0010 CRm op2 11111", hint),
    Form("wfet, wfit", "1101010100 0 00 011 0001 0000 00 interrupt Rd", hint_with_time),
    Form("dsb, dmb, isb", "1101010100 0 00 011 0011 CRm op2 11111", barrier),
    Form("msr (immediate)", "1101010100 0 00 op1 0100 CRm op2 11111", msr_immediate),
    Form("sys, sysl", "1101010100 L 01 op1 CRn CRm op2 Rt", system),
    Form(
        "msr, mrs (nzcv)", "1101010100 L 11 011 0100 0010 000 Rt", move_flags
    ),  # before all others
    Form("msr, mrs", "1101010100 L 1 o0 op1 CRn CRm op2 Rt", move_system),
    Form("svc, brk", "11010100 opc3 imm16 000 LL2", exception),
    Form("eret", "1101011 0100 11111 000000 11111 00000", exception_return),
    Form("udf", "0000000000000000 imm16", undefined),
)
