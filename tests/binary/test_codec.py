"""Words become the machine's values and are the same words again."""

from __future__ import annotations

import random

import pytest

from simbbm.arm64.descriptor import ROX, RW, Attributes, leaf, table
from simbbm.arm64.registers import Tcr, Ttbr
from simbbm.binary.codec import descriptor, tcr, ttbr, word_of, word_of_tcr, word_of_ttbr


@pytest.mark.parametrize("shift", [12, 14, 16])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_no_bit_of_a_word_is_lost(shift: int, level: int) -> None:
    draw = random.Random(level)
    for _ in range(300):
        word = draw.getrandbits(64)
        assert word == word_of(descriptor(word, level, shift), level, shift)


KERNEL_PAGE, KERNEL_BLOCK = 0x0068_0000_4000_0703, 0x0068_0000_4000_0701


@pytest.mark.parametrize(
    ("word", "level", "value"),
    [
        (KERNEL_BLOCK, 2, leaf(0x40000)),
        (KERNEL_PAGE, 3, leaf(0x40000)),
        (KERNEL_PAGE | 1 << 52, 3, leaf(0x40000, contiguous=True)),
        (0x0040_0000_4000_0783, 3, leaf(0x40000, ROX)),
        (KERNEL_PAGE & ~(1 << 10), 3, leaf(0x40000, access_flag=False)),
        (KERNEL_PAGE & ~0x300 | 4 << 2, 3, leaf(0x40000, Attributes("device-nGnRE"))),
        (0x4000_0003, 2, table(0x800_0000)),
    ],
)
def test_what_linux_writes_has_no_bits_left_over(word: int, level: int, value: object) -> None:
    assert value == descriptor(word, level, 12)


def test_bits_without_a_field_are_kept() -> None:
    """UXNTable, PXNTable and AF of a table, and software bits of an entry that is invalid."""
    assert descriptor(0x1800_0000_4000_0403, 2, 12).software == 0x1800_0000_0000_0400
    assert descriptor(KERNEL_PAGE & ~1 | 1 << 11, 3, 12).output == 0x40000
    assert descriptor(0, 3, 12).software == 0
    assert descriptor(KERNEL_PAGE, 3, 12).attributes == RW


def test_registers() -> None:
    draw = random.Random(5)
    for _ in range(200):
        word = draw.getrandbits(64) & ~0xFFE
        assert word == word_of_ttbr(ttbr(word))
        assert word == word_of_tcr(tcr(word, 12), 12, word)
    assert ttbr(0x0001_0000_4000_1001) == Ttbr(0x800_0200, 1, cnp=True)
    assert tcr(0x0050_0010 | 16 << 16, 12) == Tcr(36, 36)
