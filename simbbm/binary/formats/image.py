"""A kernel image as it lies in virtual memory before KASLR moves it (`kaslr`).

A vmlinux says where its segments belong. A raw Image does not: it is what stands at KIMAGE_VADDR
(arch/arm64/include/asm/memory.h), which depends on the number of virtual-address bits that the
kernel was built for. There are few such numbers, and a kernel is full of pointers into itself, so
that the number whose KIMAGE_VADDR most of its words point to is the one.

Pointers whose value is not in its place yet (R_AARCH64_RELATIVE with an addend, where the linker
wrote no RELR table) are put there, as arch/arm64/kernel/pi/relocate.c does with an offset of 0.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from copy import copy
from functools import cached_property
from pathlib import Path
from struct import Struct, pack, unpack_from
from typing import NamedTuple

from simbbm.binary.formats.container import ELF_MAGIC, KERNEL_MAX, unpacked
from simbbm.binary.formats.elf import Elf, Segment
from simbbm.core.errors import UsageError
from simbbm.host.reading import content, quoted

OLDEST = (6, 18)
"""Before Linux 6.18 no arm64 kernel splits its live linear map."""
VA_BITS = (48, 47, 42, 39, 36)
"""VA_BITS_MIN of the pages sizes and configurations that there are; 52 counts as 48 there."""
MODULES_VSIZE = 2 << 30
PAGE_SIZES = {1: 4 << 10, 2: 16 << 10, 3: 64 << 10}
"""By bits 2:1 of the header's flags."""
R_AARCH64_RELATIVE = 0x403
RELA_RUN_MIN = 4
"""So many entries one after another are a table, and no accident."""

_BANNER = re.compile(rb"Linux version (\d{1,4})\.(\d{1,4})[^\0\n]{0,400}")
_U8, _U16, _U32, _U64 = (Struct(f"<{code}") for code in "BHIQ")


class Version(NamedTuple):
    """What linux_banner says."""

    numbers: tuple[int, int]
    release: str
    """As `uname -r` has it: 7.2.13+deb14-arm64."""
    banner: str


class Image:
    """Bytes at virtual addresses, and what the headers say."""

    def __init__(self, name: str, data: bytes) -> None:
        """Read a kernel from the bytes of a file; `name` is for messages."""
        self.name = name
        self.digest = hashlib.sha256(data).hexdigest()
        try:
            self.data, self.packing = unpacked(data)
            self.elf = Elf(self.data) if self.data.startswith(ELF_MAGIC) else None
            self.segments = self.elf.segments if self.elf else (self._whole(),)
        except UsageError as error:
            raise UsageError(f"{quoted(name)}: {error.message}", error.hint) from None
        if not self.segments:
            raise UsageError(f"{quoted(name)}: not a kernel: an ELF file that loads nothing")
        self.segments = _relocated(tuple(sorted(self.segments)))
        self.offset = 0
        """How far KASLR has moved it."""
        self.version = self._version()

    def moved(self, offset: int, places: Iterable[int]) -> Image:
        """The same image further up; the words at these places hold addresses in it."""
        found = [bytearray(segment.data) for segment in self.segments]
        for place in places:
            number = max(bisect_right(self._starts, place) - 1, 0)
            at, data = place - self._starts[number], found[number]
            if not 0 <= at <= len(data) - 8:
                raise self.damaged(f"a relocation of it is at {place:#x}, where nothing is")
            _U64.pack_into(data, at, _U64.unpack_from(data, at)[0] + offset & (1 << 64) - 1)
        other = copy(self)
        other.segments = tuple(
            segment._replace(address=segment.address + offset, data=bytes(data))
            for segment, data in zip(self.segments, found, strict=True)
        )
        other.offset = self.offset + offset
        for known in ("_starts", "build_ids"):
            vars(other).pop(known, None)
        return other

    @property
    def form(self) -> str:
        """What kind of file it is: "Image", "vmlinux", "Image in gzip in zboot"."""
        kind = "vmlinux" if self.elf else "Image"
        return " in ".join((kind, *reversed(self.packing)))

    @property
    def base(self) -> int:
        """Where it begins: the symbol _text."""
        return self.segments[0].address

    @property
    def end(self) -> int:
        """The first address behind it: the symbol _end."""
        return max(segment.end for segment in self.segments)

    @property
    def va_bits_min(self) -> int | None:
        """VA_BITS_MIN, which the base tells; None if no configuration has this base."""
        return next(
            (bits for bits in VA_BITS if kimage_vaddr(bits) == self.base - self.offset), None
        )

    @property
    def page_size(self) -> int | None:
        """What the header says; a vmlinux begins with the same one."""
        try:
            header = self.read(self.base, 64)
        except UsageError:
            return None
        if header[56:60] != b"ARM\x64":
            return None
        return PAGE_SIZES.get(_U64.unpack_from(header, 24)[0] >> 1 & 3)

    # Reading at virtual addresses.

    @cached_property
    def _starts(self) -> list[int]:
        return [segment.address for segment in self.segments]

    def read(self, address: int, size: int) -> bytes:
        """The bytes there; zeros in .bss. UsageError if not all of them are in the image."""
        segment = self.segments[max(bisect_right(self._starts, address) - 1, 0)]
        at = address - segment.address
        if at < 0 or size < 0 or at + size > segment.size:
            raise self.damaged(f"there is nothing at {address:#x}")
        return segment.data[at : at + size].ljust(size, b"\0")

    def holds(self, address: int) -> bool:
        """Whether an address is in the image."""
        return any(segment.address <= address < segment.end for segment in self.segments)

    def u8(self, address: int) -> int:
        """A byte."""
        return int(_U8.unpack(self.read(address, 1))[0])

    def u16(self, address: int) -> int:
        """Two bytes."""
        return int(_U16.unpack(self.read(address, 2))[0])

    def u32(self, address: int) -> int:
        """Four bytes: an instruction, too."""
        return int(_U32.unpack(self.read(address, 4))[0])

    def u64(self, address: int) -> int:
        """Eight bytes."""
        return int(_U64.unpack(self.read(address, 8))[0])

    def text(self, address: int, limit: int = 200) -> str:
        """A string that ends with a zero."""
        segment = self.segments[max(bisect_right(self._starts, address) - 1, 0)]
        size = min(limit, segment.end - address)
        return self.read(address, size).partition(b"\0")[0].decode("utf-8", "replace")

    def places(self, wanted: bytes, align: int = 1) -> Iterator[int]:
        """Each address at which these bytes are."""
        for segment in self.segments:
            at = segment.data.find(wanted)
            while at >= 0:
                if (segment.address + at) % align == 0:
                    yield segment.address + at
                at = segment.data.find(wanted, at + 1)

    def damaged(self, why: str) -> UsageError:
        """An error about what is in this file."""
        return UsageError(f"{quoted(self.name)}: {why}", "is the file whole, and a kernel?")

    # What it is.

    @cached_property
    def build_ids(self) -> tuple[tuple[int, str], ...]:
        """Address and hexadecimal digits of each GNU build id; the vDSOs have theirs too."""
        head = pack("<III", 4, 20, 3) + b"GNU\0"
        return tuple((at, self.read(at + len(head), 20).hex()) for at in self.places(head, 4))

    def _version(self) -> Version:
        for segment in self.segments:
            if match := _BANNER.search(segment.data):
                break
        else:
            raise UsageError(
                f"{quoted(self.name)}: no Linux kernel: it has no banner 'Linux version ...'"
            )
        banner = match[0].decode("utf-8", "replace")
        version = Version((int(match[1]), int(match[2])), banner.split()[2], banner)
        if version.numbers < OLDEST:
            raise UsageError(
                f"{quoted(self.name)}: Linux {quoted(version.release)} never splits its linear map",
                "Linux 6.18 is the first that does",
            )
        return version

    def _whole(self) -> Segment:
        """A raw Image: one segment, at the base that its own pointers tell."""
        _, size, flags = unpack_from("<QQQ", self.data, 8)
        if flags & 1:
            raise UsageError("a big-endian kernel, which simbbm does not read")
        if size > KERNEL_MAX:
            raise UsageError("damaged: its header says that it is larger than any kernel")
        if len(self.data) > size:
            raise UsageError("damaged: it is longer than its header says")
        if (wanted := _size_of_file(self.data)) > len(self.data):
            raise UsageError(f"truncated: {wanted:,} bytes are wanted, it has {len(self.data):,}")
        base = _base(self.data)
        return Segment(base, self.data, size)


def kernel_image(path: str | Path) -> Image:
    """The kernel in a file."""
    return Image(str(path), content(Path(path), KERNEL_MAX))


def kimage_vaddr(va_bits_min: int) -> int:
    """KIMAGE_VADDR: modules begin in the middle of the upper half, the image stands behind them."""
    return (1 << 64) - (1 << va_bits_min - 1) + MODULES_VSIZE


def _size_of_file(data: bytes) -> int:
    """How long the file has to be, by the PE header that the EFI stub brings; 0: not said."""
    (at,) = unpack_from("<I", data, 60)
    if data[at : at + 4] != b"PE\0\0" or at + 24 > len(data):
        return 0
    sections, optional = unpack_from("<H", data, at + 6)[0], unpack_from("<H", data, at + 20)[0]
    first = at + 24 + optional
    rows = [first + 40 * n for n in range(sections) if first + 40 * n + 40 <= len(data)]
    return max((sum(unpack_from("<II", data, row + 16)) for row in rows), default=0)


def _base(data: bytes) -> int:
    """The KIMAGE_VADDR that most of its words point to."""
    votes = {
        bits: data.count(pack("<I", kimage_vaddr(bits) >> 32))  # the upper halves of pointers
        for bits in VA_BITS
    }
    bits = max(VA_BITS, key=votes.__getitem__)
    if not votes[bits]:
        raise UsageError("no Linux kernel: nothing in it points to a place in it")
    return kimage_vaddr(bits)


def _relocated(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Put the addend of each R_AARCH64_RELATIVE to where it belongs."""
    found = [bytearray(segment.data) for segment in segments]
    starts = [segment.address for segment in segments]
    end = max(segment.end for segment in segments)
    for segment in segments:
        for place, addend in _relative(segment.data, starts[0], end):
            number = bisect_right(starts, place) - 1
            if place - starts[number] + 8 <= len(found[number]):
                _U64.pack_into(found[number], place - starts[number], addend)
    return tuple(
        Segment(segment.address, bytes(data), segment.size)
        for segment, data in zip(segments, found, strict=True)
    )


def _relative(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Place and addend of the entries of a RELA table, wherever it is among these bytes."""
    at, kind = 0, pack("<Q", R_AARCH64_RELATIVE)
    while (at := data.find(kind, at)) >= 0:
        entries = [] if at % 8 else _run(data, max(at - 8, 0), start, end)
        if len(entries) >= RELA_RUN_MIN:
            yield from entries
            at += 24 * len(entries)
        else:
            at += 1


def _run(data: bytes, at: int, start: int, end: int) -> list[tuple[int, int]]:
    """Entries that stand one behind the other from here on."""
    entries = []
    while at + 24 <= len(data):
        place, info, addend = unpack_from("<QQQ", data, at)
        if info != R_AARCH64_RELATIVE or not start <= place < end:
            break
        entries.append((place, addend))
        at += 24
    return entries
