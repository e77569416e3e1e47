"""Short text for short text: packs ASCII into base32 characters, the same ones on every machine.

LZSS (J. A. Storer, T. G. Szymanski: "Data Compression via Textual Substitution", JACM 1982) with a
preset dictionary. Not zlib: its output differs between implementations of the same format, and a
token has to be the same bytes everywhere.

A bit 0 and 7 bits are a character; a bit 1, 12 bits of distance and 6 of length repeat what came
before, the dictionary included. NUL ends the text.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from collections.abc import Iterator

_DISTANCE_BITS, _LENGTH_BITS, _LITERAL_BITS = 12, 6, 7
_WINDOW = 1 << _DISTANCE_BITS
_MATCH_MIN = 3
_MATCH_MAX = _MATCH_MIN + (1 << _LENGTH_BITS) - 1
_END = "\0"
_CHARACTER_BITS = 5


def pack(text: str, dictionary: str) -> str:
    """Pack ASCII text without NULs."""
    window = dictionary + text + _END
    position = len(dictionary)
    bits = []
    while position < len(window):
        distance, length = _longest(window, position)
        if length < _MATCH_MIN:
            bits.append(f"0{ord(window[position]):0{_LITERAL_BITS}b}")
            position += 1
        else:
            bits.append(f"1{distance - 1:0{_DISTANCE_BITS}b}")
            bits.append(f"{length - _MATCH_MIN:0{_LENGTH_BITS}b}")
            position += length
    return _characters("".join(bits))


def unpack(packed: str, dictionary: str) -> str:
    """Reverse `pack`; raise ValueError for what it cannot have made."""
    bits = _bits(packed)
    window = dictionary
    while True:
        if _number(bits, 1):
            distance = 1 + _number(bits, _DISTANCE_BITS)
            length = _MATCH_MIN + _number(bits, _LENGTH_BITS)
            if distance > len(window):
                raise ValueError("a repetition of nothing")
            for _ in range(length):
                window += window[-distance]
        else:
            character = chr(_number(bits, _LITERAL_BITS))
            if character == _END:
                return window[len(dictionary) :]
            window += character


def _longest(window: str, position: int) -> tuple[int, int]:
    """The longest earlier occurrence of what follows, the nearest of equals: distance, length."""
    best_distance, best = 0, 0
    first = max(0, position - _WINDOW)
    last = len(window) - 1  # the end is never part of a repetition
    for length in range(_MATCH_MIN, min(_MATCH_MAX, last - position) + 1):
        wanted = window[position : position + length]
        start = window.rfind(wanted, first, position - 1 + length)
        if start < 0:
            break
        best_distance, best = position - start, length
    return best_distance, best


def _characters(bits: str) -> str:
    padded = bits.ljust(-(-len(bits) // 40) * 40, "0")
    octets = int(padded, 2).to_bytes(len(padded) // 8, "big")
    characters = -(-len(bits) // _CHARACTER_BITS)
    return b32encode(octets).decode()[:characters].lower()


def _bits(packed: str) -> Iterator[str]:
    octets = b32decode(packed.upper().ljust(-(-len(packed) // 8) * 8, "A"))
    bits = f"{int.from_bytes(octets, 'big'):0{8 * len(octets)}b}"
    return iter(bits[: _CHARACTER_BITS * len(packed)])


def _number(bits: Iterator[str], width: int) -> int:
    taken = "".join(bit for _, bit in zip(range(width), bits, strict=False))
    if len(taken) < width:
        raise ValueError("cut off")
    return int(taken, 2)
