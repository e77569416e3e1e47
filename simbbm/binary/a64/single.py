"""Loads and stores of one register: Arm ARM C4.1.97. Those of SIMD registers are not here.

`opc` says which: 0 store, 1 load, 2 load and extend the sign to 64 bits, 3 to 32 bits. In place of
a load of 8 bytes with a sign to extend there is PRFM, a hint that does nothing here.
"""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.bits import M64, extended, signed
from simbbm.binary.a64.cpu import ZERO, Cpu
from simbbm.binary.a64.forms import Form, Undefined
from simbbm.binary.a64.operations import Load, Stop, Store, Target

SUFFIXES = ("b", "h", "", "")
PREFETCH = (3, 2)
"""size and opc of PRFM."""


def unsigned_offset(cpu: Cpu, f: Any) -> Stop | None:
    """LDR, STR: base plus a multiple of the size."""
    return _access(cpu, f, cpu.get_sp(f.Rn) + (f.imm12 << f.size))


def unscaled(cpu: Cpu, f: Any) -> Stop | None:
    """LDUR, STUR: base plus a signed offset in bytes."""
    return _access(cpu, f, cpu.get_sp(f.Rn) + signed(f.imm9, 9), kind="u")


def unprivileged(cpu: Cpu, f: Any) -> Stop | None:
    """LDTR, STTR: as user space might."""
    if (f.size, f.opc) == PREFETCH:
        raise Undefined
    return _access(cpu, f, cpu.get_sp(f.Rn) + signed(f.imm9, 9), kind="t")


def indexed(cpu: Cpu, f: Any) -> Stop | None:
    """LDR, STR with writeback, before the access (pre-indexed) or after it."""
    if (f.size, f.opc) == PREFETCH or (f.Rn == f.Rt and f.Rn != ZERO):
        raise Undefined
    base = cpu.get_sp(f.Rn)
    moved = base + signed(f.imm9, 9) & M64
    stop = _access(cpu, f, moved if f.pre else base)
    return stop and stop._replace(base=(f.Rn, moved))


def register_offset(cpu: Cpu, f: Any) -> Stop | None:
    """LDR, STR: base plus a register, extended and perhaps scaled."""
    if not f.option & 2:
        raise Undefined
    offset = extended(cpu.get(f.Rm), f.option, f.size * f.S, 64)
    return _access(cpu, f, cpu.get_sp(f.Rn) + offset)


def literal(cpu: Cpu, f: Any) -> Stop | None:
    """LDR, LDRSW of what stands near the instruction."""
    if f.opc == 3:  # PRFM
        return None
    size, sign = (4, 8, 4)[f.opc], 32 * (f.opc == 2)
    load = Load("ldrsw" if sign else "ldr", cpu.pc + 4 * signed(f.imm19, 19) & M64, size)
    return Stop(load, (Target(f.Rt, 32 if f.opc == 0 else 64, sign),))


def _access(cpu: Cpu, f: Any, address: int, kind: str = "") -> Stop | None:
    """The access itself; `kind` is what tells its mnemonic from LDR and STR."""
    size, address = 1 << f.size, address & M64
    suffix, user = SUFFIXES[f.size], kind == "t"
    if (f.size, f.opc) == PREFETCH:
        return None
    if f.opc == 0:
        value = cpu.get(f.Rt) & (1 << 8 * size) - 1
        name = f"st{kind}r{suffix}"
        return Stop(Store(name, address, size, values=(value,), unprivileged=user))
    if f.opc == 1:
        target = Target(f.Rt, 64 if size == 8 else 32)
        return Stop(Load(f"ld{kind}r{suffix}", address, size, unprivileged=user), (target,))
    if f.size == 3 or (f.size, f.opc) == (2, 3):
        raise Undefined
    target = Target(f.Rt, 64 if f.opc == 2 else 32, 8 * size)
    name = f"ld{kind}rs{suffix or 'w'}"
    return Stop(Load(name, address, size, unprivileged=user), (target,))


def ordered_unscaled(cpu: Cpu, f: Any) -> Stop | None:
    """STLUR, LDAPUR (FEAT_LRCPC2): release and acquire with an offset."""
    address = cpu.get_sp(f.Rn) + signed(f.imm9, 9) & M64
    size, suffix = 1 << f.size, SUFFIXES[f.size]
    if f.opc == 0:
        value = cpu.get(f.Rt) & (1 << 8 * size) - 1
        return Stop(Store(f"stlur{suffix}", address, size, values=(value,), release=True))
    if f.opc > 1 and (f.size == 3 or (f.size, f.opc) == (2, 3)):
        raise Undefined
    if f.opc == 1:
        target = Target(f.Rt, 64 if size == 8 else 32)
        return Stop(Load(f"ldapur{suffix}", address, size, acquire_pc=True), (target,))
    target = Target(f.Rt, 64 if f.opc == 2 else 32, 8 * size)
    return Stop(Load(f"ldapurs{suffix or 'w'}", address, size, acquire_pc=True), (target,))


FORMS = (
    Form("ldr, str (unsigned offset)", "size 111001 opc imm12 Rn Rt", unsigned_offset),
    Form("ldur, stur", "size 111000 opc 0 imm9 00 Rn Rt", unscaled),
    Form("ldtr, sttr", "size 111000 opc 0 imm9 10 Rn Rt", unprivileged),
    Form("ldr, str (indexed)", "size 111000 opc 0 imm9 pre 1 Rn Rt", indexed),
    Form("ldr, str (register)", "size 111000 opc 1 Rm option S 10 Rn Rt", register_offset),
    Form("ldr (literal)", "opc 011000 imm19 Rt", literal),
    Form("ldapur, stlur", "size 011001 opc 0 imm9 00 Rn Rt", ordered_unscaled),
)
