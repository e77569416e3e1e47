"""A small assembler for A64: the few dozen forms that kernels of our own are written in.

It knows nothing of simbbm's decoder: each form is written down again here, from the manual.
"""

from __future__ import annotations

import re
from collections.abc import Callable

BARRIERS = {"ish": 11, "ishst": 10, "ishld": 9, "nsh": 7, "nshst": 6, "sy": 15}
CONDITIONS = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
REGISTERS = {
    "sp_el0": 0xC208,
    "mpidr_el1": 0xC005,
    "ttbr0_el1": 0xC100,
    "ttbr1_el1": 0xC101,
    "tcr_el1": 0xC102,
    "daif": 0xDA11,
    "tpidr_el1": 0xC684,
}
TLBI = {
    "vmalle1": 0x87_00,
    "vmalle1is": 0x83_00,
    "vaale1is": 0x83_E0,
    "vale1is": 0x83_A0,
    "rvaale1is": 0x82_E0,
}
FIXED = {
    "nop": 0xD503201F,
    "yield": 0xD503203F,
    "wfe": 0xD503205F,
    "sevl": 0xD50320BF,
    "paciasp": 0xD503233F,
    "autiasp": 0xD50323BF,
    "isb": 0xD5033FDF,
    "ret": 0xD65F03C0,
    "udf": 0,
}
SIZES = {"b": 0, "h": 1}


def _number(register: str) -> tuple[int, int]:
    """A register's number, and 1 if it has 64 bits."""
    if register in ("sp", "xzr", "wzr"):
        return 31, int(register != "wzr")
    return int(register[1:]), int(register[0] == "x")


def _value(text: str) -> int:
    return int(text.removeprefix("#"), 0)


def _memory(base: int, n: str, t: str, offset: str = "0", *, shift: int) -> int:
    return base | (_value(offset) >> shift) << 10 | _number(n)[0] << 5 | _number(t)[0]


def _size(suffix: str, register: str) -> int:
    return SIZES.get(suffix, 2 + _number(register)[1])


def _load_store(kind: str, suffix: str, t: str, n: str, offset: str) -> int:
    size = _size(suffix, t)
    base = size << 30 | 0x39000000 | (kind == "ld") << 22
    return _memory(base, n, t, offset or "0", shift=size)


def _pair(kind: str, t: str, u: str, n: str, before: str, pre: str, after: str) -> int:
    mode = 1 if after else 3 if pre else 2
    offset = _value(after or before or "0") // 8 & 0x7F
    numbers = _number(u)[0] << 10 | _number(n)[0] << 5 | _number(t)[0]
    return 0xA8000000 | mode << 23 | (kind == "ld") << 22 | offset << 15 | numbers


def _exclusive(name: str, s: str, t: str, n: str) -> int:
    ordered = "a" in name or "l" in name[2:]
    status = _number(s)[0] if s else 31
    word = _size("", t) << 30 | 0x08007C00 | (name[0] == "l") << 22 | status << 16 | ordered << 15
    return word | _number(n)[0] << 5 | _number(t)[0]


def _ordered(name: str, t: str, n: str) -> int:
    word = _size("", t) << 30 | 0x089FFC00 | (name == "ldar") << 22
    return word | _number(n)[0] << 5 | _number(t)[0]


def _arithmetic(name: str, flags: str, d: str, n: str, value: str) -> int:
    to, wide = _number(d)
    word = wide << 31 | (name == "sub") << 30 | bool(flags) << 29
    if value.startswith("#"):
        return word | 0x11000000 | _value(value) << 10 | _number(n)[0] << 5 | to
    return word | 0x0B000000 | _number(value)[0] << 16 | _number(n)[0] << 5 | to


def _move(d: str, value: str) -> int:
    to, wide = _number(d)
    if value.startswith("#"):
        return wide << 31 | 0x52800000 | _value(value) << 5 | to
    return wide << 31 | 0x2A0003E0 | _number(value)[0] << 16 | to


def _system(name: str, first: str, second: str) -> int:
    register, to = (second, first) if name == "mrs" else (first, second)
    return 0xD5100000 | (name == "mrs") << 21 | REGISTERS[register] << 5 | _number(to)[0]


def _daif(name: str, value: str) -> int:
    return 0xD503401F | _value(value) << 8 | (6 if name == "daifset" else 7) << 5


Here = Callable[[str], int]
"""The distance of a label in words."""
FORMS: tuple[tuple[str, Callable[..., int]], ...] = (
    (r"(ld|st)r([bh]?) (\w+), \[(\w+)(?:, (#\w+))?\]", _load_store),
    (r"(ld|st)p (\w+), (\w+), \[(\w+)(?:, (#-?\w+))?\](!?)(?:, (#-?\w+))?", _pair),
    (r"(ldxr|ldaxr|stxr|stlxr)(?: (\w+),)? (\w+), \[(\w+)\]", _exclusive),
    (r"(ldar|stlr) (\w+), \[(\w+)\]", _ordered),
    (r"(add|sub)(s?) (\w+), (\w+), (#?\w+)", _arithmetic),
    (r"mov (\w+), (#?\w+)", _move),
    (r"(mrs|msr) (\w{3,}|x\d+), (\w+)", _system),
    (r"msr (daifset|daifclr), (#\w+)", _daif),
    (r"(dsb|dmb) (\w+)", lambda n, o: 0xD503309F | (n == "dmb") << 5 | BARRIERS[o] << 8),
    (r"tlbi (\w+)(?:, (\w+))?", lambda o, t: 0xD5080000 | TLBI[o] | (_number(t)[0] if t else 31)),
    (r"(br|blr) (\w+)", lambda o, n: 0xD61F0000 | (o == "blr") << 21 | _number(n)[0] << 5),
    (r"stset (\w+), \[(\w+)\]", lambda s, n: 0xF820301F | _number(s)[0] << 16 | _number(n)[0] << 5),
    (r"brk (#\w+)", lambda n: 0xD4200000 | _value(n) << 5),
)
BRANCHES: tuple[tuple[str, Callable[..., int]], ...] = (
    (r"(b|bl) (\w+)", lambda o, to: (o == "bl") << 31 | 0x14000000 | to & 0x3FFFFFF),
    (r"adr (\w+), (\w+)", lambda d, to: 0x10000000 | (to & 0x7FFFF) << 5 | _number(d)[0]),
    (r"b\.(\w+) (\w+)", lambda c, to: 0x54000000 | (to & 0x7FFFF) << 5 | CONDITIONS.index(c)),
    (
        r"cb(n?z) (\w+), (\w+)",
        lambda o, t, to: (
            _number(t)[1] << 31
            | 0x34000000
            | (o == "nz") << 24
            | (to & 0x7FFFF) << 5
            | _number(t)[0]
        ),
    ),
)
"""The last group is a label; what it stands for is so many words away."""


def assemble(source: str, address: int, symbols: dict[str, int]) -> list[int]:
    """The words of some lines; `name:` is a label, and symbols are labels too."""
    labels, lines = dict(symbols), list[str]()
    for line in filter(None, (line.partition("//")[0].strip() for line in source.splitlines())):
        if line.endswith(":"):
            labels[line[:-1]] = address + 4 * len(lines)
        else:
            lines.append(line)
    return [_word(line, address + 4 * n, labels) for n, line in enumerate(lines)]


def _word(line: str, at: int, labels: dict[str, int]) -> int:
    if line in FIXED:
        return FIXED[line]
    for pattern, encode in BRANCHES:
        if match := re.fullmatch(pattern, line):
            *operands, label = match.groups()
            return encode(*operands, labels[label] - at >> 2)
    for pattern, encode in FORMS:
        if match := re.fullmatch(pattern, line):
            return encode(*(group or "" for group in match.groups()))
    raise ValueError(line)
