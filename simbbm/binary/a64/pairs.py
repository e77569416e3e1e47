"""Loads and stores of two registers: LDP, STP and their kin (Arm ARM C4.1.97)."""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.bits import M64, signed
from simbbm.binary.a64.cpu import ZERO, Cpu
from simbbm.binary.a64.forms import Form, Undefined
from simbbm.binary.a64.operations import Load, Stop, Store, Target


def offset(cpu: Cpu, f: Any) -> Stop:
    """LDP, STP, LDPSW: base plus a multiple of the size."""
    return _pair(cpu, f, "p", cpu.get_sp(f.Rn) + _bytes(f))


def non_temporal(cpu: Cpu, f: Any) -> Stop:
    """LDNP, STNP: the hint that it is not used again soon means nothing here."""
    if f.opc == 1:
        raise Undefined
    return _pair(cpu, f, "np", cpu.get_sp(f.Rn) + _bytes(f))


def indexed(cpu: Cpu, f: Any) -> Stop:
    """LDP, STP, LDPSW with writeback, before the accesses or after them."""
    if f.Rn in (f.Rt, f.Rt2) and f.Rn != ZERO:
        raise Undefined
    base = cpu.get_sp(f.Rn)
    moved = base + _bytes(f) & M64
    stop = _pair(cpu, f, "p", moved if f.pre else base)
    return stop._replace(base=(f.Rn, moved))


def _bytes(f: Any) -> int:
    return signed(f.imm7, 7) * (8 if f.opc == 2 else 4)


def _pair(cpu: Cpu, f: Any, name: str, address: int) -> Stop:
    """Both accesses. opc is 0 for W, 1 for LDPSW, 2 for X."""
    size, width, address = 8 if f.opc == 2 else 4, 32 if f.opc == 0 else 64, address & M64
    if f.opc == 3 or (f.opc == 1 and not f.L) or (f.L and f.Rt == f.Rt2):
        raise Undefined
    if not f.L:
        values = (cpu.get(f.Rt, 8 * size), cpu.get(f.Rt2, 8 * size))
        return Stop(Store(f"st{name}", address, size, 2, values=values))
    sign = 32 if f.opc == 1 else 0
    targets = (Target(f.Rt, width, sign), Target(f.Rt2, width, sign))
    return Stop(Load(f"ld{name}{'sw' if sign else ''}", address, size, 2), targets)


FORMS = (
    Form("ldp, stp", "opc 101 0 010 L imm7 Rt2 Rn Rt", offset),
    Form("ldnp, stnp", "opc 101 0 000 L imm7 Rt2 Rn Rt", non_temporal),
    Form("ldp, stp (indexed)", "opc 101 0 0 pre 1 L imm7 Rt2 Rn Rt", indexed),
)
