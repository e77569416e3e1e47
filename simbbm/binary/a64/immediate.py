"""Data processing (immediate): Arm ARM C4.1.93."""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.bits import (
    added,
    bit_masks,
    logical_flags,
    logical_immediate,
    mask,
    signed,
)
from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.forms import Form, Undefined


def adr(cpu: Cpu, f: Any) -> None:
    """ADR, ADRP: an address near this one, or the page of one."""
    offset = signed(f.immhi19 << 2 | f.immlo2, 21)
    base, offset = (cpu.pc & ~0xFFF, offset << 12) if f.page else (cpu.pc, offset)
    cpu.put(f.Rd, base + offset)


def add_sub_immediate(cpu: Cpu, f: Any) -> None:
    """ADD, ADDS, SUB, SUBS of a constant."""
    add_sub_sp(cpu, f, f.imm12 << 12 * f.sh)


def add_sub_sp(cpu: Cpu, f: Any, other: int) -> None:
    """Rd = Rn + other, or minus, where 31 is SP: but for an Rd that comes with flags."""
    width = 32 << f.sf
    result, flags = plus_or_minus(cpu.get_sp(f.Rn, width), other, f.op, width)
    if f.S:
        cpu.nzcv = flags
        cpu.put(f.Rd, result, width)
    else:
        cpu.put_sp(f.Rd, result, width)


def plus_or_minus(a: int, b: int, minus: int, width: int) -> tuple[int, int]:
    """A + B, or A - B as A + NOT(B) + 1; and NZCV."""
    return added(a, b ^ mask(width), 1, width) if minus else added(a, b, 0, width)


def logical_immediate_form(cpu: Cpu, f: Any) -> None:
    """AND, ORR, EOR, ANDS with a constant of repeated ones."""
    width = 32 << f.sf
    constant = logical_immediate(f.N, f.imms6, f.immr6, width)
    if constant is None or (f.N and not f.sf):
        raise Undefined
    result = combined(f.opc, cpu.get(f.Rn, width), constant)
    if f.opc == 3:
        cpu.nzcv = logical_flags(result, width)
        cpu.put(f.Rd, result, width)
    else:
        cpu.put_sp(f.Rd, result, width)


def combined(opc: int, a: int, b: int) -> int:
    """AND, ORR, EOR, ANDS."""
    return (a & b, a | b, a ^ b, a & b)[opc]


def move_wide(cpu: Cpu, f: Any) -> None:
    """MOVN, MOVZ, MOVK."""
    width, value, at = 32 << f.sf, f.imm16, 16 * f.hw
    if f.opc == 1 or at >= width:
        raise Undefined
    if f.opc == 3:
        result = cpu.get(f.Rd, width) & ~(0xFFFF << at) | value << at
    else:
        result = value << at ^ (mask(width) if f.opc == 0 else 0)
    cpu.put(f.Rd, result, width)


def bitfield(cpu: Cpu, f: Any) -> None:
    """SBFM, BFM, UBFM: shifts, extensions, insertions and extractions by constants."""
    width, r, s = 32 << f.sf, f.immr6, f.imms6
    masks = bit_masks(f.N, s, r, width)
    if f.opc == 3 or f.sf != f.N or masks is None or max(r, s) >= width:
        raise Undefined
    wmask, tmask = masks
    source, old = cpu.get(f.Rn, width), cpu.get(f.Rd, width) if f.opc == 1 else 0
    turned = (source >> r | source << width - r) & mask(width)
    low = old & ~wmask | turned & wmask
    high = (mask(width) if source >> s & 1 else 0) if f.opc == 0 else old
    cpu.put(f.Rd, high & ~tmask | low & tmask, width)


def extract(cpu: Cpu, f: Any) -> None:
    """EXTR; ROR by a constant."""
    width = 32 << f.sf
    if f.sf != f.N or f.imms6 >= width:
        raise Undefined
    both = cpu.get(f.Rn, width) << width | cpu.get(f.Rm, width)
    cpu.put(f.Rd, both >> f.imms6 & mask(width), width)


FORMS = (
    Form("adr", "page immlo2 10000 immhi19 Rd", adr),
    Form("add, sub (immediate)", "sf op S 100010 sh imm12 Rn Rd", add_sub_immediate),
    Form("and, orr, eor (immediate)", "sf opc 100100 N immr6 imms6 Rn Rd", logical_immediate_form),
    Form("movn, movz, movk", "sf opc 100101 hw imm16 Rd", move_wide),
    Form("sbfm, bfm, ubfm", "sf opc 100110 N immr6 imms6 Rn Rd", bitfield),
    Form("extr", "sf 00 100111 N 0 Rm imms6 Rn Rd", extract),
)
