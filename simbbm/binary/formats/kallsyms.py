"""Names and addresses out of kallsyms, the kernel's own table of symbols (kernel/kallsyms.c).

A stripped image has no other. Nothing says where it is, but its parts stand in a fixed order
(scripts/kallsyms.c:write_src), each aligned to 8, or from 7.0 on to 4:

    num_syms       u32
    names          of each symbol: a length (ULEB128), then so many tokens; sorted by address
    markers        u32 of every 256th symbol: where it begins in names
    token_table    256 strings: names are written in pairs of letters and longer pieces
    token_index    256 u16: where each begins
    offsets        u32 of each symbol: up to 6.19 from relative_base, from 7.0 on from its own place
    relative_base  u64, up to 6.19

The token table is found by the strings of the ten digits in it, which are never replaced; the rest
by its place beside it, and by agreeing with itself.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from struct import iter_unpack, pack, unpack_from
from typing import NamedTuple

from simbbm.binary.formats.elf import Segment
from simbbm.binary.formats.image import Image

TOKENS = 256
SYMBOLS_PER_MARKER = 256
SYMBOLS_MAX = 2_000_000
LENGTH_MAX = 1_024
"""Tokens of a name; the kernel's KSYM_NAME_LEN is 512."""
DIGITS = b"".join(bytes((digit, 0)) for digit in b"0123456789")


class _Tokens(NamedTuple):
    """The token table, and where it and the index stand in their segment."""

    strings: list[bytes]
    start: int
    end: int
    """Behind the index."""


def kallsyms(image: Image) -> list[tuple[str, int]] | None:
    """Name and address of each symbol, by address; None if there is no table."""
    for segment in image.segments:
        at = segment.data.find(DIGITS)
        while at >= 0:
            tokens = _tokens(segment.data, at)
            if tokens and (found := _table(image, segment, tokens)):
                return found
            at = segment.data.find(DIGITS, at + 1)
    return None


def _tokens(data: bytes, digits: int) -> _Tokens | None:
    """The token table whose digits are here: their tokens are numbers 0x30 to 0x39."""
    start = digits
    for _ in range(ord("0")):
        start = data.rfind(b"\0", max(start - 1 - LENGTH_MAX, 0), start - 1) + 1
        if start <= 0:
            return None
    strings, end = _strings(data, start)
    index = pack(f"<{TOKENS}H", *_starts(strings)) if strings else b""
    for align in (4, 8):
        place = end + -end % align
        if index and data[place : place + 2 * TOKENS] == index:
            return _Tokens(strings, start, place + 2 * TOKENS)
    return None


def _strings(data: bytes, start: int) -> tuple[list[bytes], int]:
    """256 strings from here on, and where they end; none if there are not so many."""
    strings, at = [], start
    for _ in range(TOKENS):
        end = data.find(b"\0", at, at + LENGTH_MAX)
        if end < 0:
            return [], start
        strings.append(data[at:end])
        at = end + 1
    return (strings, at) if at - start < 1 << 16 else ([], start)


def _starts(strings: list[bytes]) -> list[int]:
    """Where each string begins, after those before it and their zeros."""
    return [0, *accumulate(len(string) + 1 for string in strings[:-1])]


def _table(image: Image, segment: Segment, tokens: _Tokens) -> list[tuple[str, int]] | None:
    """The symbols, if names, markers and offsets beside the token table agree."""
    data = segment.data
    for markers in _markers(data, tokens.start):
        if found := _names_start(data, markers):
            start, count = found
            break
    else:
        return None
    names = _names(data, start, count, tokens.strings)
    if tokens.end + 4 * count > len(data):
        raise image.damaged("its kallsyms end early")
    addresses = _addresses(segment, tokens.end, count)
    if addresses is None or dict(zip(names, addresses, strict=True)).get("_text") != image.base:
        raise image.damaged("its kallsyms do not begin with _text, where the image begins")
    return list(zip(names, addresses, strict=True))


def _markers(data: bytes, end: int) -> list[tuple[int, list[int]]]:
    """Where the markers may begin, and what they are: ascending from 0 up to the token table."""
    possible = []
    for padding in (0, 4):
        found: list[int] = []
        at = end - padding
        if padding and data[at:end] != bytes(padding):
            continue
        while at >= 4:
            at -= 4
            (value,) = unpack_from("<I", data, at)
            if found and value >= found[-1]:
                break
            found.append(value)
            if value == 0:
                possible.append((at, found[::-1]))
                break
    return possible


def _names_start(data: bytes, found: tuple[int, list[int]]) -> tuple[int, int] | None:
    """Where names begin, and how many: the number before them fits, and the first marker."""
    place, markers = found
    most = len(markers) * SYMBOLS_PER_MARKER
    last = place - markers[-1]
    for start in range(last - last % 4, max(last - SYMBOLS_PER_MARKER * LENGTH_MAX, 8), -4):
        for count in unpack_from("<I", data, start - 4) + unpack_from("<I", data, start - 8):
            fits = most - SYMBOLS_PER_MARKER < count <= min(most, SYMBOLS_MAX)
            if fits and _agree(data, start, markers, count, place):
                return start, count
    return None


def _agree(data: bytes, start: int, markers: list[int], count: int, end: int) -> bool:
    """Whether every 256th name begins where its marker says, and the last ends before them."""
    for number, (marker, following) in enumerate(pairwise([*markers, end - start])):
        at = start + marker
        for _ in range(min(SYMBOLS_PER_MARKER, count - number * SYMBOLS_PER_MARKER)):
            length, at = _length(data, at)
            at += length
            if at > end:
                return False
        last = number + 1 == len(markers)
        if not (end - 8 < at <= end if last else at == start + following):
            return False
    return True


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length at the start of a name, and where its tokens begin."""
    low = data[at]
    return (low & 0x7F | data[at + 1] << 7, at + 2) if low & 0x80 else (low, at + 1)


def _names(data: bytes, start: int, count: int, strings: list[bytes]) -> list[str]:
    """All names; the first letter of each is its type, and left out."""
    names, at = [], start
    for _ in range(count):
        length, at = _length(data, at)
        name = b"".join([strings[token] for token in data[at : at + length]])
        names.append(name[1:].decode("utf-8", "replace"))
        at += length
    return names


def _addresses(segment: Segment, place: int, count: int) -> list[int] | None:
    """The address of each symbol, ascending; None if the offsets give no such thing."""
    data = segment.data[place : place + 4 * count]
    after = place + 4 * count
    after += -after % 8
    offsets = [offset for (offset,) in iter_unpack("<I", data)]
    if offsets == sorted(offsets) and after + 8 <= len(segment.data):
        (base,) = unpack_from("<Q", segment.data, after)
        return [base + offset for offset in offsets]
    own = segment.address + place
    addresses = [
        own + 4 * number + offset for number, (offset,) in enumerate(iter_unpack("<i", data))
    ]
    return addresses if addresses == sorted(addresses) else None
