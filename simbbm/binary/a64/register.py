"""Data processing (register): Arm ARM C4.1.95."""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.bits import (
    added,
    extended,
    holds,
    leading_zeros,
    logical_flags,
    mask,
    reversed_bits,
    reversed_bytes,
    shifted,
    signed,
)
from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.a64.forms import Form, Undefined
from simbbm.binary.a64.immediate import add_sub_sp, combined, plus_or_minus


def logical_shifted(cpu: Cpu, f: Any) -> None:
    """AND, ORR, EOR, ANDS, and with the second operand inverted BIC, ORN, EON, BICS."""
    width = 32 << f.sf
    if f.imm6 >= width:
        raise Undefined
    other = shifted(cpu.get(f.Rm, width), f.shift, f.imm6, width) ^ (mask(width) if f.N else 0)
    result = combined(f.opc, cpu.get(f.Rn, width), other)
    if f.opc == 3:
        cpu.nzcv = logical_flags(result, width)
    cpu.put(f.Rd, result, width)


def add_sub_shifted(cpu: Cpu, f: Any) -> None:
    """ADD, ADDS, SUB, SUBS of registers."""
    width = 32 << f.sf
    if f.shift == 3 or f.imm6 >= width:
        raise Undefined
    other = shifted(cpu.get(f.Rm, width), f.shift, f.imm6, width)
    result, flags = plus_or_minus(cpu.get(f.Rn, width), other, f.op, width)
    if f.S:
        cpu.nzcv = flags
    cpu.put(f.Rd, result, width)


def add_sub_extended(cpu: Cpu, f: Any) -> None:
    """ADD, ADDS, SUB, SUBS of SP or a register and an extended one."""
    if f.imm3 > 4:
        raise Undefined
    add_sub_sp(cpu, f, extended(cpu.get(f.Rm), f.option, f.imm3, 32 << f.sf))


def add_sub_carry(cpu: Cpu, f: Any) -> None:
    """ADC, ADCS, SBC, SBCS."""
    width = 32 << f.sf
    other = cpu.get(f.Rm, width) ^ (mask(width) if f.op else 0)
    result, flags = added(cpu.get(f.Rn, width), other, cpu.nzcv >> 1 & 1, width)
    if f.S:
        cpu.nzcv = flags
    cpu.put(f.Rd, result, width)


def compare_register(cpu: Cpu, f: Any) -> None:
    """CCMN, CCMP of registers."""
    _compare(cpu, f, cpu.get(f.Rm, 32 << f.sf))


def compare_immediate(cpu: Cpu, f: Any) -> None:
    """CCMN, CCMP with a constant."""
    _compare(cpu, f, f.imm5)


def _compare(cpu: Cpu, f: Any, other: int) -> None:
    width = 32 << f.sf
    if holds(f.cond, cpu.nzcv):
        _, cpu.nzcv = plus_or_minus(cpu.get(f.Rn, width), other, f.op, width)
    else:
        cpu.nzcv = f.nzcv


def select(cpu: Cpu, f: Any) -> None:
    """CSEL, CSINC, CSINV, CSNEG."""
    width = 32 << f.sf
    if holds(f.cond, cpu.nzcv):
        result = cpu.get(f.Rn, width)
    else:
        result = (cpu.get(f.Rm, width) ^ (mask(width) if f.inv else 0)) + f.inc
    cpu.put(f.Rd, result, width)


def divide(cpu: Cpu, f: Any) -> None:
    """UDIV, SDIV: towards zero; by zero it is zero."""
    width = 32 << f.sf
    a, b = cpu.get(f.Rn, width), cpu.get(f.Rm, width)
    if f.signed:
        a, b = signed(a, width), signed(b, width)
    result = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0
    cpu.put(f.Rd, result, width)


def shift_variable(cpu: Cpu, f: Any) -> None:
    """LSLV, LSRV, ASRV, RORV."""
    width = 32 << f.sf
    by = cpu.get(f.Rm, width) % width
    cpu.put(f.Rd, shifted(cpu.get(f.Rn, width), f.shift, by, width), width)


def one_source(cpu: Cpu, f: Any) -> None:
    """RBIT, REV16, REV32, REV, CLZ, CLS."""
    width = 32 << f.sf
    value = cpu.get(f.Rn, width)
    match f.opcode3:
        case 0:
            result = reversed_bits(value, width)
        case 1 | 2:
            result = reversed_bytes(value, 8 << f.opcode3, width)
        case 3 if f.sf:
            result = reversed_bytes(value, 64, width)
        case 4:
            result = leading_zeros(value, width)
        case 5:
            sign = mask(width) if value >> width - 1 else 0
            result = leading_zeros(value ^ sign, width) - 1
        case _:
            raise Undefined
    cpu.put(f.Rd, result, width)


def multiply_add(cpu: Cpu, f: Any) -> None:
    """MADD, MSUB; MUL, MNEG."""
    width = 32 << f.sf
    product = cpu.get(f.Rn, width) * cpu.get(f.Rm, width)
    result = cpu.get(f.Ra, width) + (-product if f.minus else product)
    cpu.put(f.Rd, result, width)


def multiply_add_long(cpu: Cpu, f: Any) -> None:
    """SMADDL, SMSUBL, UMADDL, UMSUBL: 32 by 32 bits."""
    a, b = cpu.get(f.Rn, 32), cpu.get(f.Rm, 32)
    product = a * b if f.U else signed(a, 32) * signed(b, 32)
    cpu.put(f.Rd, cpu.get(f.Ra) + (-product if f.minus else product))


def multiply_high(cpu: Cpu, f: Any) -> None:
    """SMULH, UMULH: the upper half of 128 bits."""
    a, b = cpu.get(f.Rn), cpu.get(f.Rm)
    cpu.put(f.Rd, (a * b if f.U else signed(a, 64) * signed(b, 64)) >> 64)


FORMS = (
    Form("and, orr, eor (register)", "sf opc 01010 shift N Rm imm6 Rn Rd", logical_shifted),
    Form("add, sub (register)", "sf op S 01011 shift 0 Rm imm6 Rn Rd", add_sub_shifted),
    Form("add, sub (extended)", "sf op S 01011 00 1 Rm option imm3 Rn Rd", add_sub_extended),
    Form("adc, sbc", "sf op S 11010000 Rm 000000 Rn Rd", add_sub_carry),
    Form("ccmp (register)", "sf op 1 11010010 Rm cond 00 Rn 0 nzcv", compare_register),
    Form("ccmp (immediate)", "sf op 1 11010010 imm5 cond 10 Rn 0 nzcv", compare_immediate),
    Form("csel", "sf inv 0 11010100 Rm cond 0 inc Rn Rd", select),
    Form("udiv, sdiv", "sf 00 11010110 Rm 00001 signed Rn Rd", divide),
    Form("lslv, lsrv, asrv, rorv", "sf 00 11010110 Rm 0010 shift Rn Rd", shift_variable),
    Form("rbit, rev, clz, cls", "sf 10 11010110 00000 000 opcode3 Rn Rd", one_source),
    Form("madd, msub", "sf 00 11011000 Rm minus Ra Rn Rd", multiply_add),
    Form("smaddl, umaddl", "1 00 11011 U 01 Rm minus Ra Rn Rd", multiply_add_long),
    Form("smulh, umulh", "1 00 11011 U 10 Rm 011111 Rn Rd", multiply_high),
)
