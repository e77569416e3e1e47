"""Exclusives, acquire and release, and LSE atomics (Arm ARM C4.1.97)."""

from __future__ import annotations

from typing import Any

from simbbm.binary.a64.bits import mask, signed
from simbbm.binary.a64.cpu import ZERO, Cpu
from simbbm.binary.a64.forms import Form, Undefined
from simbbm.binary.a64.operations import Atomic, CompareAndSwap, Load, Stop, Store, Target

SUFFIXES = ("b", "h", "", "")
RULES = ("add", "clr", "eor", "set", "smax", "smin", "umax", "umin")
"""What LSE atomics do, by opc; "set" is OR, "clr" is AND NOT."""


def exclusive(cpu: Cpu, f: Any) -> Stop:
    """LDXR, LDAXR, STXR, STLXR."""
    size, suffix, address = 1 << f.size, SUFFIXES[f.size], cpu.get_sp(f.Rn)
    if f.L:
        name = f"ld{'a' * f.ordered}xr{suffix}"
        load = Load(name, address, size, acquire=bool(f.ordered), exclusive=True)
        return Stop(load, (Target(f.Rt, width_of(size)),))
    _check_status(f, f.Rt)
    values = (cpu.get(f.Rt) & mask(8 * size),)
    name = f"st{'l' * f.ordered}xr{suffix}"
    store = Store(name, address, size, 1, values, release=bool(f.ordered), exclusive=True)
    return Stop(store, (Target(f.Rs, 32),))


def exclusive_pair(cpu: Cpu, f: Any) -> Stop:
    """LDXP, LDAXP, STXP, STLXP."""
    size, address = 8 if f.sz else 4, cpu.get_sp(f.Rn)
    if f.L:
        if f.Rt == f.Rt2:
            raise Undefined
        name = f"ld{'a' * f.ordered}xp"
        load = Load(name, address, size, 2, acquire=bool(f.ordered), exclusive=True)
        return Stop(load, (Target(f.Rt, 8 * size), Target(f.Rt2, 8 * size)))
    _check_status(f, f.Rt, f.Rt2)
    values = (cpu.get(f.Rt, 8 * size), cpu.get(f.Rt2, 8 * size))
    name = f"st{'l' * f.ordered}xp"
    store = Store(name, address, size, 2, values, release=bool(f.ordered), exclusive=True)
    return Stop(store, (Target(f.Rs, 32),))


def _check_status(f: Any, *data: int) -> None:
    """The status goes into a register of its own: anything else is UNPREDICTABLE."""
    if f.Rs in data or (f.Rs == f.Rn and f.Rn != ZERO):
        raise Undefined


def width_of(size: int) -> int:
    """The width of the register that so many bytes go to."""
    return 64 if size == 8 else 32


def ordered(cpu: Cpu, f: Any) -> Stop:
    """LDAR, STLR; LDLAR, STLLR (FEAT_LOR), which order at least as little."""
    size, suffix, address = 1 << f.size, SUFFIXES[f.size], cpu.get_sp(f.Rn)
    if not f.o0:
        raise Undefined  # LORegions: no kernel uses them
    if f.L:
        load = Load(f"ldar{suffix}", address, size, acquire=True)
        return Stop(load, (Target(f.Rt, width_of(size)),))
    values = (cpu.get(f.Rt) & mask(8 * size),)
    return Stop(Store(f"stlr{suffix}", address, size, 1, values, release=True))


def load_acquire_pc(cpu: Cpu, f: Any) -> Stop:
    """LDAPR (FEAT_LRCPC)."""
    size = 1 << f.size
    load = Load(f"ldapr{SUFFIXES[f.size]}", cpu.get_sp(f.Rn), size, acquire_pc=True)
    return Stop(load, (Target(f.Rt, width_of(size)),))


def atomic(cpu: Cpu, f: Any) -> Stop:
    """LDADD and its kin; STADD is LDADD whose result nobody wants."""
    return _atomic(cpu, f, RULES[f.opc3], f"ld{RULES[f.opc3]}")


def swap(cpu: Cpu, f: Any) -> Stop:
    """SWP."""
    return _atomic(cpu, f, "swp", "swp")


def _atomic(cpu: Cpu, f: Any, rule: str, name: str) -> Stop:
    size = 1 << f.size
    no_result = f.Rt == ZERO and rule != "swp" and not f.A
    letters = f"{'a' * f.A}{'l' * f.R}{SUFFIXES[f.size]}"
    operation = Atomic(
        f"{name.replace('ld', 'st') if no_result else name}{letters}",
        cpu.get_sp(f.Rn),
        size,
        1,
        rule,
        cpu.get(f.Rs) & mask(8 * size),
        acquire=bool(f.A) and f.Rt != ZERO,  # with no register to load into there is no acquire
        release=bool(f.R),
    )
    return Stop(operation, (Target(f.Rt, width_of(size)),))


def compare_and_swap(cpu: Cpu, f: Any) -> Stop:
    """CAS."""
    size = 1 << f.size
    operation = CompareAndSwap(
        f"cas{'a' * f.L}{'l' * f.ordered}{SUFFIXES[f.size]}",
        cpu.get_sp(f.Rn),
        size,
        1,
        (cpu.get(f.Rs) & mask(8 * size),),
        (cpu.get(f.Rt) & mask(8 * size),),
        acquire=bool(f.L),
        release=bool(f.ordered),
    )
    return Stop(operation, (Target(f.Rs, width_of(size)),))


def compare_and_swap_pair(cpu: Cpu, f: Any) -> Stop:
    """CASP: two registers from an even one on."""
    width = 64 if f.sz else 32
    if f.Rs & 1 or f.Rt & 1:
        raise Undefined
    operation = CompareAndSwap(
        f"casp{'a' * f.L}{'l' * f.ordered}",
        cpu.get_sp(f.Rn),
        width // 8,
        2,
        (cpu.get(f.Rs, width), cpu.get(f.Rs + 1, width)),
        (cpu.get(f.Rt, width), cpu.get(f.Rt + 1, width)),
        acquire=bool(f.L),
        release=bool(f.ordered),
    )
    return Stop(operation, (Target(f.Rs, width), Target(f.Rs + 1, width)))


def result(rule: str, old: int, operand: int, width: int) -> int:
    """What memory becomes."""
    match rule:
        case "swp":
            return operand
        case "add":
            return old + operand & mask(width)
        case "clr":
            return old & ~operand
        case "eor":
            return old ^ operand
        case "set":
            return old | operand
    a, b = (old, operand) if rule[0] == "u" else (signed(old, width), signed(operand, width))
    return (max if rule.endswith("max") else min)(a, b) & mask(width)


FORMS = (
    Form("ldxr, stxr", "size 001000 0 L 0 Rs ordered 11111 Rn Rt", exclusive),
    Form("ldxp, stxp", "1 sz 001000 0 L 1 Rs ordered Rt2 Rn Rt", exclusive_pair),
    Form("ldar, stlr", "size 001000 1 L 0 Rs o0 11111 Rn Rt", ordered),
    Form("cas", "size 001000 1 L 1 Rs ordered 11111 Rn Rt", compare_and_swap),
    Form("casp", "0 sz 001000 0 L 1 Rs ordered 11111 Rn Rt", compare_and_swap_pair),
    Form("ldadd, stset, ldumax", "size 111000 A R 1 Rs 0 opc3 00 Rn Rt", atomic),
    Form("swp", "size 111000 A R 1 Rs 1 000 00 Rn Rt", swap),
    Form("ldapr", "size 111000 1 0 1 11111 1 100 00 Rn Rt", load_acquire_pc),
)
