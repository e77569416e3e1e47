"""Words of 64 bits as the machine's values: descriptors, TTBRs, TCR; and back.

The bits are those of the Arm ARM (D8.3, D24.2) for 48-bit addresses, without FEAT_LPA2. A bit that
`Descriptor` has no field for is what Linux always sets with the others (PTE_SHARED, PTE_UXN and
PTE_DBM of kernel memory, asm/pgtable-prot.h); where a word differs from that, `software` keeps the
difference, so that nothing is lost: encoding a decoded word gives the word.
"""

from __future__ import annotations

from simbbm.arm64.descriptor import INVALID, LEAF, TABLE, Attributes, Descriptor
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.arm64.registers import Tcr, Ttbr
from simbbm.binary.a64.bits import mask

VALID, NOT_BLOCK = 1 << 0, 1 << 1
USER, READ_ONLY = 1 << 6, 1 << 7
SHARED = 0b11 << 8
ACCESSED, NOT_GLOBAL = 1 << 10, 1 << 11
DBM, CONTIGUOUS, PXN, UXN = (1 << bit for bit in range(51, 55))
ADDRESS_BITS = 48
MEMORY = ("normal", "normal-tagged", "normal-nc", "device-nGnRnE", "device-nGnRE")
"""MT_NORMAL and so on (asm/memory.h), by AttrIndx; a higher index is kept in `software`."""


def descriptor(word: int, level: int, page_shift: int) -> Descriptor:
    """A word of a table at a level: 0b11 is a table above the last level, and a page there."""
    output = word & mask(ADDRESS_BITS) & ~mask(page_shift)
    if not word & VALID:
        found = Descriptor(INVALID, output >> page_shift)
    elif word & NOT_BLOCK and level < LEAF_LEVEL:
        found = Descriptor(TABLE, output >> 3)
    else:
        index = word >> 2 & 7
        user = bool(word & USER)
        write = not word & READ_ONLY
        attributes = Attributes(
            MEMORY[index] if index < len(MEMORY) else MEMORY[0],
            write=write,
            user=user,
            user_write=user and write,
            execute=not word & PXN,
        )
        found = Descriptor(
            LEAF,
            output >> page_shift,
            attributes,
            contiguous=bool(word & CONTIGUOUS),
            not_global=bool(word & NOT_GLOBAL),
            access_flag=bool(word & ACCESSED),
        )
    return found._replace(software=word ^ _bits(found, level, page_shift))


def word_of(found: Descriptor, level: int, page_shift: int) -> int:
    """The word that says what a descriptor says."""
    return _bits(found, level, page_shift) ^ found.software


def _bits(found: Descriptor, level: int, page_shift: int) -> int:
    """The word of a descriptor whose `software` is 0."""
    if found.kind == INVALID:
        return found.output << page_shift
    if found.kind == TABLE:
        return found.output << 3 | NOT_BLOCK | VALID
    attributes = found.attributes
    flags = (
        (NOT_BLOCK, level == LEAF_LEVEL),
        (USER, attributes.user),
        (READ_ONLY, not attributes.write),
        (DBM, attributes.write),
        (SHARED, attributes.memory.startswith("normal")),
        (ACCESSED, found.access_flag),
        (NOT_GLOBAL, found.not_global),
        (CONTIGUOUS, found.contiguous),
        (PXN, not attributes.execute),
        (UXN, not attributes.user),
    )
    word = found.output << page_shift | MEMORY.index(attributes.memory) << 2 | VALID
    return word | sum(bit for bit, is_set in flags if is_set)


def ttbr(word: int) -> Ttbr:
    """TTBR0_EL1 or TTBR1_EL1."""
    return Ttbr((word & mask(ADDRESS_BITS) & ~1) >> 3, word >> 48, bool(word & 1))


def word_of_ttbr(found: Ttbr) -> int:
    """Its word."""
    return found.asid << 48 | found.baddr << 3 | found.cnp


def tcr(word: int, page_shift: int) -> Tcr:
    """TCR_EL1, as far as translation regimes differ by it."""
    return Tcr(
        64 - (word & 63) - page_shift,
        64 - (word >> 16 & 63) - page_shift,
        a1=bool(word >> 22 & 1),
        epd0=bool(word >> 7 & 1),
        epd1=bool(word >> 23 & 1),
    )


def word_of_tcr(found: Tcr, page_shift: int, others: int = 0) -> int:
    """Its word; `others` has the bits that Tcr says nothing of."""
    known = 63 | 63 << 16 | 1 << 22 | 1 << 7 | 1 << 23
    word = 64 - page_shift - found.t0_bits | 64 - page_shift - found.t1_bits << 16
    return others & ~known | word | found.a1 << 22 | found.epd0 << 7 | found.epd1 << 23
