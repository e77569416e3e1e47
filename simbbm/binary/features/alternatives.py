"""Instructions that a kernel replaces at boot: arch/arm64/kernel/alternative.c.

An entry of .altinstructions (`struct alt_instr`) names a place, a replacement, a capability and two
lengths. If the machine has the capability, the replacement is copied to the place; branches and
ADRP in it are relative, and are made to reach the same target from there. With bit 15 of the
capability the replacement is a function that computes the instructions; the one that writes NOPs is
known, and what any other one writes is not.

setup_system_features applies all of them before linear_map_maybe_split_to_ptes: what runs is the
patched code.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from struct import iter_unpack
from typing import NamedTuple

from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols

ENTRY = "<iiHBB"
ENTRY_SIZE = 12
CALLBACK = 1 << 15
"""ARM64_CB_BIT."""
WRITES_NOPS = ("alt_cb_patch_nops",)
NOP = 0xD503201F
TABLE_MAX = 32 << 20


class Alternative(NamedTuple):
    """An entry of the table."""

    place: int
    replacement: int
    """Where the instructions are, or the function that makes them."""
    capability: int
    is_callback: bool
    size: int
    """Bytes that are replaced."""
    replacement_size: int


class Alternatives:
    """All entries of a kernel, by place."""

    def __init__(self, image: Image, symbols: Symbols) -> None:
        self._image = image
        self._nops = {symbols.find(name) for name in WRITES_NOPS}
        self.all = sorted(_entries(image, symbols))
        self._places = [entry.place for entry in self.all]

    def within(self, start: int, end: int) -> list[Alternative]:
        """Entries whose place is in a range of addresses."""
        return self.all[bisect_left(self._places, start) : bisect_left(self._places, end)]

    def patches(self, capabilities: frozenset[int]) -> dict[int, int | None]:
        """The words that a machine with these capabilities runs, where they differ.

        None is a word that a function of the kernel computes.
        """
        found: dict[int, int | None] = {}
        for entry in self.all:
            if entry.capability in capabilities:
                found.update(self._words(entry))
        return found

    def _words(self, entry: Alternative) -> Iterator[tuple[int, int | None]]:
        for offset in range(0, entry.size, 4):
            place = entry.place + offset
            if entry.is_callback:
                yield place, NOP if entry.replacement in self._nops else None
            elif offset < entry.replacement_size:
                source = entry.replacement + offset
                yield place, moved(self._image.u32(source), source, place, entry)
            else:
                yield place, NOP


def _entries(image: Image, symbols: Symbols) -> Iterator[Alternative]:
    start, end = symbols.find("__alt_instructions"), symbols.find("__alt_instructions_end")
    if start is None or end is None:
        return
    if not 0 <= end - start <= TABLE_MAX or (end - start) % ENTRY_SIZE:
        raise image.damaged("its table of alternatives has no end")
    rows = iter_unpack(ENTRY, image.read(start, end - start))
    for at, (place, replacement, capability, size, replacement_size) in zip(
        range(start, end, ENTRY_SIZE), rows, strict=True
    ):
        yield Alternative(
            at + place,
            at + 4 + replacement,
            capability & ~CALLBACK,
            bool(capability & CALLBACK),
            size,
            replacement_size,
        )


def moved(word: int, source: int, place: int, entry: Alternative) -> int:
    """An instruction that reaches from `place` what it reaches from `source` (get_alt_insn).

    Branches within the replacement stay as they are.
    """
    for mask, value, low, bits in RELATIVE:
        if word & mask == value:
            field = (1 << bits) - 1 << low
            target = source + 4 * _signed((word & field) >> low, bits)
            if 0 <= target - entry.replacement <= entry.replacement_size:
                return word
            return word & ~field | (target - place >> 2 << low) & field
    if word & 0x9F000000 == 0x90000000:  # ADRP
        pages = _signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
        pages += (source >> 12) - (place >> 12)
        return word & 0x9F00001F | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5
    return word


RELATIVE = (
    (0x7C000000, 0x14000000, 0, 26),  # B, BL
    (0xFF000010, 0x54000000, 5, 19),  # B.cond
    (0x7E000000, 0x34000000, 5, 19),  # CBZ, CBNZ
    (0x7E000000, 0x36000000, 5, 14),  # TBZ, TBNZ
)
"""Mask and value of relative branches, and where their offset (in words) is."""


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value
