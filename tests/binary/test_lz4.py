"""lz4: what was packed comes out again, and nothing else comes out of what is damaged."""

from __future__ import annotations

import random
from struct import pack

import pytest

from simbbm.binary.formats.lz4 import MAGIC, unpacked
from simbbm.core.errors import UsageError
from tests.binary.packed import lz4_packed

DRAW = random.Random(5)
TEXTS = {
    "nothing": b"",
    "a few": b"abc",
    "one byte, often": b"a" * 10_000,
    "three bytes, often": b"abc" * 5_000,
    "noise": DRAW.randbytes(3_000),
    "noise, twice": DRAW.randbytes(400) * 2,
    "far apart": b"begin" + DRAW.randbytes(70_000) + b"begin",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("block", [700, 1 << 20])
def test_what_was_packed_comes_out(name: str, block: int) -> None:
    text = TEXTS[name]

    assert unpacked(lz4_packed(text, block), 1 << 20) == text
    assert unpacked(lz4_packed(text, block) + pack("<I", len(text)), 1 << 20) == text


def test_no_more_is_unpacked_than_is_wanted() -> None:
    data = lz4_packed(b"a" * 100_000, 1_000)

    assert 5_000 < len(unpacked(data, 5_000)) <= 6_000


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (b"\x10", "damaged"),  # a literal that is not there
        (b"\x14ab", "damaged"),  # half a distance
        (b"\x10a\0\0\x10b", "damaged"),  # a distance of nothing
        (b"\x10a\2\0\x10b", "damaged"),  # from before the beginning
        (b"\xf0" + b"\xff" * 40_000, "damaged"),  # longer than a block can be
        (b"\x1fa\1\0" + b"\xff" * 40_000, "damaged"),
        (b"\x10a\1\0", "damaged"),  # no last literals
    ],
)
def test_a_damaged_block_is_refused(block: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        unpacked(MAGIC + pack("<I", len(block)) + block, 1 << 30)


def test_what_ends_early_or_has_another_size_is_refused() -> None:
    whole = lz4_packed(b"abcd" * 100)

    with pytest.raises(UsageError, match="truncated: its lz4 data ends early"):
        unpacked(whole[:-1], 1 << 20)
    with pytest.raises(UsageError, match="another size than it says"):
        unpacked(whole + pack("<I", 399), 1 << 20)


def test_damage_is_refused_or_unpacked_within_bounds() -> None:
    whole = lz4_packed(b"".join(b"%d" % n for n in range(2_000)), 2_000)
    draw, refused = random.Random(6), 0
    for _ in range(300):
        spoilt = bytearray(whole)
        spoilt[draw.randrange(4, len(whole))] = draw.randrange(256)
        try:
            assert len(unpacked(bytes(spoilt), 1 << 20)) <= (1 << 20) + (8 << 20)
        except UsageError:
            refused += 1
    assert refused > 10
