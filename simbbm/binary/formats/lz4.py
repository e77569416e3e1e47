"""lz4 in the legacy frame, which `make Image.lz4` writes (lib/decompress_unlz4.c).

A magic number, then blocks of a length and so many bytes, each of 8 MiB at most when unpacked.
In EFI zboot images the size of the whole stands behind them. A block is sequences: literals, and
bytes that were there before. That is so little that no package is needed; a kernel takes two
seconds.
"""

from __future__ import annotations

from struct import unpack_from

from simbbm.core.errors import UsageError

MAGIC = b"\x02\x21\x4c\x18"
BLOCK_MAX = 8 << 20
LONG = 15
"""A length of so many goes on in the next byte, as long as that is 255."""
MATCH_MIN = 4


class _Damaged(Exception):
    """What is no lz4 data."""


def unpacked(data: bytes, most: int) -> bytes:
    """What a frame holds; more than `most` bytes of it are not unpacked."""
    found, at = bytearray(), len(MAGIC)
    while at + 4 < len(data) and len(found) <= most:
        (size,) = unpack_from("<I", data, at)
        at += 4
        if size > len(data) - at:
            raise UsageError("truncated: its lz4 data ends early")
        try:
            found += _block(data[at : at + size])
        except (_Damaged, IndexError):
            raise UsageError("damaged: its lz4 data cannot be unpacked") from None
        at += size
    if at + 4 == len(data) and len(found) <= most and unpack_from("<I", data, at)[0] != len(found):
        raise UsageError("damaged: its lz4 data has another size than it says")
    return bytes(found)


def _block(data: bytes) -> bytes:
    """Sequences up to the end; the last one has literals alone."""
    out, at = bytearray(), 0
    while len(out) <= BLOCK_MAX:
        token = data[at]
        length, at = _length(data, at + 1, token >> 4)
        if at + length > len(data):
            raise _Damaged
        out += data[at : at + length]
        at += length
        if at == len(data):
            return bytes(out)
        distance = data[at] | data[at + 1] << 8
        length, at = _length(data, at + 2, token & 15)
        if not 0 < distance <= len(out):
            raise _Damaged
        length += MATCH_MIN
        piece = out[len(out) - distance :][:length]
        out += (piece * (length // len(piece) + 1))[:length]
    raise _Damaged


def _length(data: bytes, at: int, length: int) -> tuple[int, int]:
    """A length that may have more bytes, and where what is behind it begins."""
    if length == LONG:
        while data[at] == 255:
            length, at = length + 255, at + 1
            if length > BLOCK_MAX:
                raise _Damaged
        length, at = length + data[at], at + 1
    return length, at
