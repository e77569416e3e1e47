"""Instructions as the operations of a machine (`arm64/ops.py`), and the values that they observe.

A translation table's words are descriptors for the machine, and what a descriptor says depends on
the level of its table. That of a new one is known once something links it: until then a valid word
with bit 1 set is a page, as every new table's is that the split fills with pages, and a descriptor
that links the table somewhere else is refused (`Linking`).
"""

from __future__ import annotations

from itertools import count
from typing import Any

from simbbm.arm64.descriptor import TABLE, Descriptor, leaves
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.arm64.ops import BARRIERS, REGISTERS
from simbbm.arm64.translation.tlbi_operand import decoded
from simbbm.binary.a64.bits import M64, mask
from simbbm.binary.a64.operations import (
    Access,
    Atomic,
    Barrier,
    Exception_,
    Hint,
    Load,
    Operation,
    Store,
    System,
    WriteRegister,
)
from simbbm.binary.code.memory_map import WORD, Cell, MemoryMap
from simbbm.binary.codec import descriptor, tcr, ttbr, word_of
from simbbm.core.program import Op

OWN_REGISTERS = ("daif", "daifset", "daifclr", "pan", "uao", "ssbs", "dit", "tco")
"""Whose writes no other CPU notices: no interrupt arrives in a scenario of machine code."""
HINTS = ("wfe", "sev", "sevl")
NO_EFFECT = ("sb", "ssbb", "pssbb")
"""Barriers of speculation, of which the machine has none."""


class NotModelledError(Exception):
    """What an instruction asks for is nothing that the machine has."""


def mnemonic(access: Access) -> str:
    """The name of an access to shared memory as the machine has it."""
    match access:
        case Load(exclusive=True):
            return "ldaxr" if access.acquire else "ldxr"
        case Load():
            return "ldar" if access.acquire else "ldapr" if access.acquire_pc else "ldr"
        case Store(exclusive=True):
            return "stlxr" if access.release else "stxr"
        case Store():
            return "stlr" if access.release else "str"
        case Atomic(rule="add", acquire=True, release=True):
            return "ldaddal"
    raise NotModelledError(f"{access.name} on shared memory is no operation of the machine")


def operation(asked: Operation, memory_map: MemoryMap) -> Op | None:
    """An operation that is no access; None: nobody notices it."""
    match asked:
        case Barrier(name="isb"):
            return Op("isb")
        case Barrier(name=("dsb" | "dmb") as name, option=option) if option in BARRIERS:
            return Op(f"{name}.{option}")
        case Barrier(name=name) if name in NO_EFFECT:
            return None
        case Hint(name=name) if name in HINTS:
            return Op(name)
        case WriteRegister(register=register) if register in OWN_REGISTERS:
            return None
        case WriteRegister(register=register, value=value) if register in REGISTERS[:3]:
            shift = memory_map.shift
            written = tcr(value, shift) if register == "tcr_el1" else ttbr(value)
            return Op(f"msr.{register}", (written,))
        case System(name="tlbi", what=what, operand=operand):
            return _tlbi(what, operand or 0, memory_map)
        case Exception_(name="brk", number=number):
            return Op("panic", (f"brk {number:#x}",))
    raise NotModelledError(f"{asked.name} is no operation of the machine")


def _tlbi(what: str, operand: int, memory_map: MemoryMap) -> Op:
    """A TLBI, with what its register says."""
    shift = memory_map.shift
    tlbi = decoded(what, operand, shift, lambda address: memory_map.page(address & M64))
    if tlbi is None:
        raise NotModelledError(f"tlbi {what} is no operation of the machine")
    return Op(f"tlbi.{what}", (tlbi,))


def stored(cell: Cell, value: int) -> int:
    """What memory keeps of a variable."""
    return value & mask(8 * cell.size)


def value_of(found: Any, level: int | None, shift: int) -> int:
    """A word that a load observed, as the kernel sees it."""
    if not isinstance(found, Descriptor):
        return int(found)
    return word_of(found, LEAF_LEVEL if level is None else level, shift)


def described(word: int, level: int, shift: int) -> Descriptor:
    """A word as the descriptor that it is in a table at a level."""
    found = descriptor(word, level, shift)
    assert word_of(found, level, shift) == word, f"{word:#x}"
    return found


def kind_of(word: int) -> int | None:
    """What a word of a table that nothing links yet is: LEAF_LEVEL a page, 2 a block, None no leaf.

    A table descriptor looks like a page's; whoever links the table tells (`linked_at`).
    """
    if not word & 1:
        return None
    return LEAF_LEVEL if word & 2 else LEAF_LEVEL - 1


def linked_at(leaves: int, level: int) -> None:
    """Refuse to link a table whose words were taken for those of another level."""
    if leaves and (leaves == LEAF_LEVEL) != (level == LEAF_LEVEL):
        raise NotModelledError(f"a table with leaves of level {leaves} is linked at level {level}")


def filled(entries: dict[int, Descriptor], table: int) -> tuple[Op, int]:
    """The first entries that follow one another as one store, and how many these are."""
    at = min(entries)
    number = next(n for n in count(1) if at + n not in entries)
    found = [entries[at + n] for n in range(number)]
    first, stride = found[0], found[-1].output - found[-2].output if number > 1 else 0
    if number == 1 or first.kind == TABLE or tuple(found) != leaves(first, stride, number):
        return Op("str", (table + at, *found)), number
    return Op("fill", (table + at, first, stride, number)), number


def part_of(value: int, offset: int, size: int) -> int:
    """Some bytes of a word."""
    return value >> 8 * offset & mask(8 * size)


__all__ = ["WORD", "NotModelledError", "operation"]
