"""DWARF 4, as little as there is to it: one file with structures, and their members."""

from __future__ import annotations

from struct import pack

STRING, REF4, DATA2, DATA1, UDATA = 0x08, 0x13, 0x05, 0x0B, 0x0F
NAME, SIZE, TYPE, PLACE, ENCODING = 0x03, 0x0B, 0x49, 0x38, 0x3E
ABBREVIATIONS = (
    (0x11, True, ((NAME, STRING),)),  # 1: compile unit
    (0x24, False, ((NAME, STRING), (SIZE, DATA1), (ENCODING, DATA1))),  # 2: base type
    (0x13, True, ((NAME, STRING), (SIZE, DATA2))),  # 3: structure
    (0x13, True, ((SIZE, DATA2),)),  # 4: one without a name
    (0x0D, False, ((NAME, STRING), (TYPE, REF4), (PLACE, UDATA))),  # 5: member
    (0x0D, False, ((TYPE, REF4), (PLACE, UDATA))),  # 6: one without a name
    (0x26, False, ((TYPE, REF4),)),  # 7: const
    (0x13, False, ((NAME, STRING),)),  # 8: a declaration
)
"""Tag, whether it has children, attributes and their forms; numbered from 1."""
HEAD = 11
END = b"\0"


def dwarf(
    structs: dict[str, tuple[int, dict[str, int]]], source: str = "arch/arm64/mm/mmu.c"
) -> dict[str, bytes]:
    """Sections with the structures of `images.btf`, of one source file.

    A structure whose name begins with # has none; members of other structures are const.
    """
    body = b"\1" + source.encode() + END
    places = {"int": HEAD + len(body)}
    body += b"\2int\0" + bytes((4, 5))
    for name, (size, members) in structs.items():
        for number, member in enumerate(members):  # what they are of, before the structure
            kind = member.partition(":")[2]
            if kind:
                places[f"{name}.{number}"] = HEAD + len(body)
                body += b"\7" + pack("<I", places[kind])
        body += b"\x08" + name.encode() + END
        places[name] = HEAD + len(body)
        body += b"\4" if name[0] == "#" else b"\3" + name.encode() + END
        body += pack("<H", size)
        for number, (member, offset) in enumerate(members.items()):
            label = member.partition(":")[0]
            body += b"\5" + label.encode() + END if label else b"\6"
            body += pack("<I", places.get(f"{name}.{number}", places["int"])) + _leb(offset)
        body += END
    body += END
    unit = pack("<IHIB", len(body) + HEAD - 4, 4, 0, 8) + body
    return {".debug_info": unit, ".debug_abbrev": _abbreviations()}


def _abbreviations() -> bytes:
    found = b""
    for number, (tag, children, attributes) in enumerate(ABBREVIATIONS, 1):
        found += bytes((number, tag, children)) + b"".join(map(bytes, attributes)) + b"\0\0"
    return found + END


def _leb(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))
