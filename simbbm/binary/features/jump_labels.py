"""Jump labels (static keys): branches that a running kernel switches (include/linux/jump_label.h).

An entry of __jump_table (`struct jump_entry`) has three places relative to their own: the NOP or
branch that is switched, where the branch leads, and the key, a `struct static_key` whose count says
what it is at boot. Two bits beside the key say how the branch was written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack
from typing import NamedTuple

from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols

ENTRY = "<iiq"
ENTRY_SIZE = 16
TABLE_MAX = 64 << 20


class JumpLabel(NamedTuple):
    """An entry of the table."""

    place: int
    """The instruction that is switched."""
    target: int
    key: int


def jump_labels(image: Image, symbols: Symbols) -> list[JumpLabel]:
    """All of a kernel's, by place; none if it was built without."""
    return sorted(_entries(image, symbols))


def _entries(image: Image, symbols: Symbols) -> Iterator[JumpLabel]:
    start, end = symbols.find("__start___jump_table"), symbols.find("__stop___jump_table")
    if start is None or end is None:
        return
    if not 0 <= end - start <= TABLE_MAX or (end - start) % ENTRY_SIZE:
        raise image.damaged("its table of jump labels has no end")
    rows = iter_unpack(ENTRY, image.read(start, end - start))
    for at, (place, target, key) in zip(range(start, end, ENTRY_SIZE), rows, strict=True):
        yield JumpLabel(at + place, at + 4 + target, at + 8 + (key & ~3))
