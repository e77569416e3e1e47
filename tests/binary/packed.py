"""lz4 in the legacy frame, as simply as it can be written: to have something to unpack."""

from __future__ import annotations

from struct import pack

BLOCK = 8 << 20
LAST_LITERALS = 5
"""The format ends a block with so many literals at least."""


def lz4_packed(data: bytes, block: int = BLOCK) -> bytes:
    """A whole frame."""
    blocks = [_block(data[at : at + block]) for at in range(0, len(data), block)]
    return b"\x02\x21\x4c\x18" + b"".join(pack("<I", len(one)) + one for one in blocks)


def _block(data: bytes) -> bytes:
    """Each four bytes that were met before begin a match, which goes on as far as it can."""
    out, met, at, literals = bytearray(), dict[bytes, int](), 0, 0
    while at < len(data) - LAST_LITERALS:
        before, key = met.get(data[at : at + 4]), data[at : at + 4]
        met[key] = at
        if before is None or at - before > 0xFFFF:
            at += 1
            continue
        length = 4
        while (
            at + length < len(data) - LAST_LITERALS and data[before + length] == data[at + length]
        ):
            length += 1
        out += _sequence(data[literals:at], at - before, length)
        at += length
        literals = at
    return bytes(out) + _sequence(data[literals:])


def _sequence(literals: bytes, distance: int = 0, length: int = 4) -> bytes:
    count, more = len(literals), length - 4
    head = bytes((min(count, 15) << 4 | min(more, 15),)) + _rest(count) + literals
    return head + pack("<H", distance) + _rest(more) if distance else head


def _rest(count: int) -> bytes:
    return b"" if count < 15 else b"\xff" * ((count - 15) // 255) + bytes(((count - 15) % 255,))
