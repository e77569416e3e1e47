"""Tiny kernel images, put together byte by byte: what the readers of simbbm.binary are tested with.

An image has a banner, some text, and whatever tables a test wants, each under its symbols: kallsyms
in one of the two encodings, BTF, alternatives, rows of capabilities, a list of MIDRs.
"""

from __future__ import annotations

from itertools import accumulate
from struct import pack

BASE = 0xFFFF_8000_8000_0000
BANNER = b"Linux version 7.2.13-test (somebody@somewhere) (a compiler) #1 SMP\n\0"
NOP, RET = 0xD503201F, 0xD65F03C0


class Builder:
    """Bytes one after another, with symbols."""

    def __init__(self, base: int = BASE, banner: bytes = BANNER) -> None:
        self.base = base
        self.data = bytearray(64)
        self.symbols: dict[str, int] = {"_text": base}
        self.put("linux_banner", banner)
        # Words that point into the image, by which a reader sees where it belongs.
        self.put("pointers", pack("<8Q", *[base + 64] * 8))

    @property
    def here(self) -> int:
        """The address of what is put next."""
        return self.base + len(self.data)

    def align(self, to: int) -> None:
        """Zeros up to a multiple."""
        self.data += bytes(-len(self.data) % to)

    def put(self, name: str, data: bytes, align: int = 8) -> int:
        """Bytes under a symbol; returns their address."""
        self.align(align)
        self.symbols[name] = self.here
        self.data += data
        return self.symbols[name]

    def code(self, name: str, *words: int) -> int:
        """A function."""
        return self.put(name, pack(f"<{len(words)}I", *words), 16)

    def text(self, text: str) -> int:
        """A string without a symbol of its own."""
        self.align(8)
        at = self.here
        self.data += text.encode() + b"\0"
        return at

    def image(self, *, flags: int = 0b0010, magic: bytes = b"ARM\x64", bss: int = 4096) -> bytes:
        """The whole, as an arm64 Image: a header of 64 bytes in front."""
        size = len(self.data) + bss
        self.data[:64] = pack("<IIQQQQQQ4sI", NOP, 0, 0, size, flags, 0, 0, 0, magic, 0)
        return bytes(self.data)

    def kallsyms(self, *, relative_to_place: bool = True) -> None:
        """The symbols so far, as kernels from 7.0 on have them, or up to 6.19."""
        symbols = sorted(self.symbols.items(), key=lambda symbol: symbol[1])
        align = 4 if relative_to_place else 8
        names = [_name(f"T{name}") for name, _ in symbols]
        starts = [0, *accumulate(map(len, names))][: len(names)]
        tokens = [bytes((token,)) if token else b"\x01" for token in range(256)]
        parts = (
            pack("<I", len(symbols)),
            b"".join(names),
            pack(f"<{len(starts[::256])}I", *starts[::256]),
            b"".join(token + b"\0" for token in tokens),
            pack("<256H", *[0, *accumulate(len(token) + 1 for token in tokens[:-1])]),
        )
        for part in parts:
            self.align(align)
            self.data += part
        self.align(align)
        if relative_to_place:
            place = self.here
            offsets = [at - (place + 4 * n) for n, (_, at) in enumerate(symbols)]
            self.data += pack(f"<{len(offsets)}i", *offsets)
        else:
            self.data += pack(f"<{len(symbols)}I", *(at - self.base for _, at in symbols))
            self.align(align)
            self.data += pack("<Q", self.base)

    def alternatives(self, *rows: tuple[int, int, int, int, int]) -> None:
        """Rows of place, replacement, capability (with bit 15), size, size of the replacement."""
        self.align(8)
        start, table = self.here, b""
        for place, replacement, capability, size, other in rows:
            at = start + len(table)
            table += pack("<iiHBB", place - at, replacement - at - 4, capability, size, other)
        self.put("__alt_instructions", table)
        self.symbols["__alt_instructions_end"] = self.here

    def relocations(self, *places: int, packed: tuple[int, ...] = ()) -> None:
        """Words that hold addresses: an entry of .rela.dyn each, or ready words of .relr.dyn."""
        addends = (int.from_bytes(self.data[p - self.base :][:8], "little") for p in places)
        rows = zip(places, addends, strict=True)
        self.put("__pi_rela_start", b"".join(pack("<QQQ", at, 0x403, to) for at, to in rows))
        self.symbols["__pi_rela_end"] = self.here
        self.put("__pi_relr_start", pack(f"<{len(packed)}Q", *packed))
        self.symbols["__pi_relr_end"] = self.here

    def jump_labels(self, *rows: tuple[int, int, int]) -> None:
        """Rows of place, target, and key with its two bits."""
        self.align(8)
        start, table = self.here, b""
        for place, target, key in rows:
            at = start + len(table)
            table += pack("<iiq", place - at, target - at - 4, key - at - 8)
        self.put("__start___jump_table", table)
        self.symbols["__stop___jump_table"] = self.here

    def capabilities(self, rows: dict[int, str]) -> None:
        """Rows of arm64_features, laid out as `CAPABILITIES` says."""
        texts = {number: self.text(told) for number, told in rows.items() if told}
        table = b"".join(
            pack("<QHHIQ", texts.get(number, 0), number, 0, 0, self.base + 64) for number in rows
        )
        self.put("arm64_features", table + bytes(24))

    def btf(self, structs: dict[str, tuple[int, dict[str, int]]]) -> None:
        """Structures by name: their size, and the offset of each member."""
        self.put("__start_BTF", btf(structs))
        self.symbols["__stop_BTF"] = self.here


CAPABILITIES = (24, {"desc": 0, "capability": 8, "type": 10, "matches": 16})
"""A `struct arm64_cpu_capabilities` of our own."""


def _name(name: str) -> bytes:
    """A name as kallsyms has it: its length (ULEB128), then a token for each letter."""
    size = len(name)
    return bytes((size,) if size < 128 else (size & 127 | 128, size >> 7)) + name.encode()


def btf(structs: dict[str, tuple[int, dict[str, int]]]) -> bytes:
    """BTF: an int, and structures with members of it, or of structures that came before."""
    strings, places = bytearray(b"\0"), {"": 0}

    def string(text: str) -> int:
        if text not in places:
            places[text] = len(strings)
            strings.extend(text.encode() + b"\0")
        return places[text]

    types = pack("<IIII", string("int"), 1 << 24, 4, 32)
    numbers = {"int": 1}
    for name, (size, members) in structs.items():
        types += pack("<III", string("" if name[0] == "#" else name), 4 << 24 | len(members), size)
        for member, offset in members.items():
            label, _, kind = member.partition(":")
            types += pack("<III", string(label), numbers[kind or "int"], offset * 8)
        numbers[name] = len(numbers) + 1
    head = pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return head + types + bytes(strings)


def elf(
    segments: list[tuple[int, bytes]],
    symbols: dict[str, tuple[int, int]],
    sections: dict[str, bytes] | None = None,
) -> bytes:
    """A vmlinux: segments, a .symtab of address and size by name, and what else is wanted."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in symbols)
    table, at = bytes(24), 1
    for name, (address, size) in symbols.items():
        table += pack("<IBBHQQ", at, 2, 0, 1, address, size)
        at += len(name) + 1
    titles = b"\0.symtab\0.strtab\0.shstrtab\0"
    others = []
    for name, data in (sections or {}).items():
        others.append((len(titles), 1, 0, data))
        titles += name.encode() + b"\0"
    body = bytearray()
    first = 64 + 56 * len(segments)
    heads = b""
    for address, data in segments:
        place, size = first + len(body), len(data)
        heads += pack("<IIQQQQQQ", 1, 5, place, address, address, size, size + 64, 4096)
        body += data
    rows = bytes(64)
    for title, kind, link, data in (
        (1, 2, 2, table),
        (9, 3, 0, names),
        (17, 3, 0, titles),
        *others,
    ):
        rows += pack("<IIQQQQIIQQ", title, kind, 0, 0, first + len(body), len(data), link, 0, 8, 24)
        body += data
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    table_at, rows_count = first + len(body), len(rows) // 64
    head += pack(
        "<HHIQQQIHHHHHH", 2, 183, 1, 0, 64, table_at, 0, 64, 56, len(segments), 64, rows_count, 3
    )
    return head + heads + bytes(body) + rows
