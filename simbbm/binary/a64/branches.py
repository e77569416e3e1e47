"""Branches: Arm ARM C4.1.94. Each puts into PC what is executed next; `execution` does for others.

Pointer authentication is not modelled: with no key in use a signed address is the address, so that
RETAA is RET.
"""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.bits import holds, signed
from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.forms import Form, Undefined

LINK = 30


class Branch(Form):
    """A row whose function writes PC."""


def branch(cpu: Cpu, f: Any) -> None:
    """B, BL."""
    if f.link:
        cpu.put(LINK, cpu.pc + 4)
    _go(cpu, signed(f.imm26, 26), taken=True)


def branch_if(cpu: Cpu, f: Any) -> None:
    """B.cond."""
    _go(cpu, signed(f.imm19, 19), taken=holds(f.cond, cpu.nzcv))


def compare_and_branch(cpu: Cpu, f: Any) -> None:
    """CBZ, CBNZ."""
    _go(cpu, signed(f.imm19, 19), taken=(cpu.get(f.Rt, 32 << f.sf) == 0) != f.nonzero)


def test_and_branch(cpu: Cpu, f: Any) -> None:
    """TBZ, TBNZ."""
    _go(cpu, signed(f.imm14, 14), taken=cpu.get(f.Rt) >> (f.sf << 5 | f.bit5) & 1 == f.nonzero)


def _go(cpu: Cpu, words: int, *, taken: bool) -> None:
    cpu.pc += 4 * words if taken else 4


def branch_to_register(cpu: Cpu, f: Any) -> None:
    """BR, BLR, RET."""
    if f.opc == 3:
        raise Undefined
    target = cpu.get(f.Rn)
    if f.opc == 1:
        cpu.put(LINK, cpu.pc + 4)
    cpu.pc = target


def branch_authenticated(cpu: Cpu, f: Any) -> None:
    """BRAA, BLRAA and the like, with a modifier or without, RETAA, RETAB."""
    if f.opc == 3 or (not f.Z and f.Rm != 31) or (f.opc == 2 and (f.Z or f.Rn != 31)):
        raise Undefined
    if f.opc == 2:
        f = _Return
    branch_to_register(cpu, f)


class _Return:
    """RETAA has no register: it is the link."""

    opc, Rn = 2, LINK


FORMS = (
    Branch("b, bl", "link 00101 imm26", branch),
    Branch("b.cond", "01010100 imm19 0 cond", branch_if),
    Branch("cbz, cbnz", "sf 011010 nonzero imm19 Rt", compare_and_branch),
    Branch("tbz, tbnz", "sf 011011 nonzero bit5 imm14 Rt", test_and_branch),
    Branch("br, blr, ret", "1101011 00 opc 11111 000000 Rn 00000", branch_to_register),
    Branch("braa, blraa, retaa", "1101011 Z 0 opc 11111 00001 M Rn Rm", branch_authenticated),
)
