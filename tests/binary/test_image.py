"""Files become kernels at their addresses, or one line says why not."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import lzma
import random
from pathlib import Path
from struct import pack

import pytest

from simbbm.binary.formats.image import Image, kernel_image, kimage_vaddr
from simbbm.binary.formats.symbols import symbols_of
from simbbm.core.errors import UsageError
from tests.binary.images import BASE, RET, Builder, elf
from tests.binary.packed import lz4_packed


def small(base: int = BASE) -> Builder:
    built = Builder(base)
    built.code("f", RET)
    return built


def zboot(payload: bytes) -> bytes:
    head = b"MZ\0\0zimg" + pack("<II", 128, len(payload)) + bytes(8) + b"gzip\0\0\0\0"
    return head.ljust(128, b"\0") + payload


@pytest.mark.parametrize("bits", [48, 47, 42, 39, 36])
def test_an_image_stands_where_its_pointers_lead(bits: int) -> None:
    base = kimage_vaddr(bits)
    image = Image("x", small(base).image())

    assert (image.base, image.va_bits_min) == (base, bits)
    assert image.u64(small(base).symbols["pointers"]) == base + 64
    assert image.u32(small(base).symbols["f"]) == RET


def test_what_the_headers_say() -> None:
    built = small()
    image = Image("x", built.image(flags=0b0100, bss=8192))

    assert image.page_size == 16384
    assert image.end == built.here + 8192
    assert image.version.release == "7.2.13-test"
    assert image.version.numbers == (7, 2)
    assert image.read(built.here, 16) == bytes(16)
    assert image.text(built.symbols["linux_banner"]).startswith("Linux version")
    with pytest.raises(UsageError, match="there is nothing at"):
        image.read(image.end - 4, 8)
    with pytest.raises(UsageError, match="there is nothing at 0x0"):
        image.read(0, 8)


@pytest.mark.parametrize(
    ("pack", "form"),
    [
        (lambda data: data, "Image"),
        (gzip.compress, "Image in gzip"),
        (lzma.compress, "Image in xz"),
        (lambda data: lzma.compress(data, lzma.FORMAT_ALONE), "Image in lzma"),
        (bz2.compress, "Image in bzip2"),
        (lz4_packed, "Image in lz4"),
        (lambda data: zboot(lz4_packed(data) + pack("<I", len(data))), "Image in lz4 in zboot"),
        (lambda data: zboot(gzip.compress(data)), "Image in gzip in zboot"),
    ],
)
def test_packed_images_are_the_same_kernel(tmp_path: Path, pack: object, form: str) -> None:
    assert callable(pack)
    file = tmp_path / "kernel"
    file.write_bytes(pack(small().image()))

    image = kernel_image(file)

    assert image.form == form
    assert image.data == small().image()


def test_zstd_where_it_can_be_read() -> None:
    if importlib.util.find_spec("zstandard") is None:
        with pytest.raises(UsageError, match=r"zstd|damaged"):
            Image("x", b"\x28\xb5\x2f\xfd" + bytes(100))
        return
    zstandard = importlib.import_module("zstandard")

    assert Image("x", zstandard.compress(small().image())).form == "Image in zstd"


def test_a_vmlinux_says_where_it_belongs() -> None:
    built = small()
    whole = built.image()
    file = elf([(BASE, whole), (BASE + 0x100000, b"\1" * 8)], {"f": (built.symbols["f"], 4)})
    image = Image("x", file)

    assert (image.form, image.base, image.page_size) == ("vmlinux", BASE, 4096)
    assert image.read(BASE + 0x100004, 8) == b"\1\1\1\1\0\0\0\0"
    assert symbols_of(image).size("f") == 4


def test_relocated_pointers_are_put_in_place() -> None:
    built = small()
    hole = built.put("hole", bytes(8 * 4))
    entries = [(hole + 8 * n, 0x403, BASE + n) for n in range(4)]
    built.put("rela", b"".join(pack("<QQQ", *entry) for entry in entries))
    image = Image("x", built.image())

    assert [image.u64(hole + 8 * n) for n in range(4)] == [BASE + n for n in range(4)]


def old() -> bytes:
    return Builder(banner=b"Linux version 6.17.9-old (x) #1\n\0").image()


def pe(size: int) -> bytes:
    built = small()
    at = len(built.data) + -len(built.data) % 8
    built.put("pe", b"PE\0\0" + pack("<HHIIIHH", 0xAA64, 1, 0, 0, 0, 0, 0))
    built.data += bytes(16) + pack("<II", size, 0) + bytes(16)
    whole = bytearray(built.image())
    whole[60:64] = pack("<I", at)
    return bytes(whole)


BAD = {
    "empty": (b"", "not a kernel: it has 0 bytes"),
    "text": (b"hello\n" * 100, "not an arm64 kernel"),
    "x86": (bytes(0x202) + b"HdrS" + bytes(100), "an x86 kernel, not an arm64 kernel"),
    "riscv": (bytes(56) + b"RSC\x05" + bytes(100), "a RISC-V kernel"),
    "x86 elf": (b"\x7fELF\x02\x01" + bytes(12) + b"\x3e" + bytes(99), "an ELF file for x86, not"),
    "elf 32": (b"\x7fELF\x01\x01" + bytes(99), "not 64-bit"),
    "elf short": (b"\x7fELF\x02\x01", "a truncated ELF file"),
    "elf mips": (b"\x7fELF\x02\x01" + bytes(12) + b"\x08" + bytes(99), "for machine 8"),
    "elf object": (b"\x7fELF\x02\x01" + bytes(12) + b"\xb7" + bytes(99), "without segments"),
    "deb": (b"!<arch>\ndebian-binary" + bytes(99), "a Debian package"),
    "exe": (b"MZ" + bytes(99), "a program for EFI or Windows"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(99), "an lz4 file in another frame"),
    "lz4 that ends early": (lz4_packed(small().image())[:-40], "truncated: its lz4 data ends"),
    "lz4 that is none": (
        b"\x02\x21\x4c\x18" + bytes(99),
        "damaged: its lz4 data cannot be unpacked",
    ),
    "lzo": (b"\x89LZO\0\r\n\x1a\n" + bytes(99), "an lzo-packed file"),
    "old": (old(), "Linux 6.17.9-old never splits its linear map"),
    "no banner": (Builder(banner=b"nothing\0").image(), "no banner"),
    "big-endian": (small().image(flags=1), "big-endian"),
    "huge": (bytes(16) + pack("<Q", 1 << 40) + bytes(32) + b"ARM\x64" + bytes(4), "any kernel"),
    "longer": (small().image(bss=0) + bytes(8), "longer than its header says"),
    "no pointers": (bytes(16) + pack("<Q", 64) + bytes(32) + b"ARM\x64" + bytes(4), "points to"),
    "gzip cut": (gzip.compress(small().image())[:-20], "gzip data ends early"),
    "gzip bad": (b"\x1f\x8b" + b"\xff" * 99, "damaged: its gzip data"),
    "xz cut": (lzma.compress(small().image())[:-20], "xz data ends early"),
    "zboot cut": (zboot(bytes(99))[:-1], "truncated EFI zboot"),
    "many layers": (
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"")))),
        "three layers",
    ),
    "pe cut": (pe(1 << 20), "truncated: 1,048,576 bytes are wanted"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_kernel_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    data, message = BAD[name]
    (tmp_path / "file").write_bytes(data)

    with pytest.raises(UsageError) as refused:
        kernel_image(tmp_path / "file")

    assert message in refused.value.message
    assert len(refused.value.message.splitlines()) == 1


def test_a_file_of_the_right_length_is_taken() -> None:
    whole = pe(8)
    assert Image("x", whole).base == BASE


def test_what_is_cut_anywhere_is_never_more_than_refused() -> None:
    draw = random.Random(1)
    built = small()
    built.kallsyms()
    whole = built.image()
    vmlinux = elf([(BASE, whole)], {"f": (built.symbols["f"], 4)})
    refused = 0
    for _ in range(200):
        for data in (whole, vmlinux):
            spoilt = bytearray(data[: draw.randrange(len(data))])
            for _ in range(draw.randrange(20)):
                if spoilt:
                    spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
            try:
                symbols_of(Image("x", bytes(spoilt)))
            except UsageError:
                refused += 1
    assert refused > 100


def test_unpacking_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simbbm.binary.formats.container.KERNEL_MAX", 1_000)
    for compress in (gzip.compress, lzma.compress):
        with pytest.raises(UsageError, match="larger than"):
            Image("x", compress(bytes(10_000)))
