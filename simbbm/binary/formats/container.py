r"""What a file holds: a kernel as it is loaded, or packed as boot loaders take it.

An arm64 Image begins with a header of 64 bytes (Documentation/arch/arm64/booting.rst) that has
"ARM\x64" at 56. `make vmlinuz.efi` wraps a compressed one into an EFI application ("zboot",
drivers/firmware/efi/libstub/zboot-header.S), distributions into gzip. A vmlinux is ELF. What comes
out is one of the two, an Image or an ELF; everything else is refused in a line.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from struct import unpack_from
from typing import Any, NamedTuple

from simbbm.binary.formats import lz4
from simbbm.core.errors import UsageError

KERNEL_MAX = 1 << 30
"""Bytes of a kernel, packed or not. A vmlinux with debug information has some hundred MiB."""
NESTED_MAX = 3
"""Containers within containers: gzip in zboot is two."""

ARM64_MAGIC = b"ARM\x64"
ELF_MAGIC = b"\x7fELF"
HEADER_SIZE = 64


class Unpacked(NamedTuple):
    """A kernel that needs no unpacking any more."""

    data: bytes
    packing: tuple[str, ...]
    """How it was packed, from outside in: ("zboot", "gzip")."""


def unpacked(data: bytes) -> Unpacked:
    """Take what a kernel is packed into from around it."""
    packing: list[str] = []
    while not is_arm64_image(data) and not data.startswith(ELF_MAGIC):
        if len(packing) == NESTED_MAX:
            raise UsageError("not a kernel: it is packed into more than three layers")
        name, data = _layer(data)
        packing.append(name)
    return Unpacked(data, tuple(packing))


def is_arm64_image(data: bytes) -> bool:
    """Whether these are the bytes of an uncompressed arm64 Image."""
    return data[56:60] == ARM64_MAGIC


def _layer(data: bytes) -> tuple[str, bytes]:
    """The outermost container, and what it holds."""
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        return "zboot", _zboot_payload(data)
    for name, (magic, unpack) in COMPRESSIONS.items():
        if data.startswith(magic):
            return name, unpack(data)
    for magic, at, told in STRANGERS:
        if data[at : at + len(magic)] == magic:
            raise UsageError(f"{told}, not an arm64 kernel")
    if len(data) < HEADER_SIZE:
        raise UsageError(f"not a kernel: it has {len(data)} bytes")
    raise UsageError(
        "not an arm64 kernel",
        "wanted: an arm64 Image (raw, gzip, xz, zstd, lz4, EFI zboot) or a vmlinux",
    )


def _zboot_payload(data: bytes) -> bytes:
    """The compressed kernel of an EFI application (zboot-header.S)."""
    if len(data) < HEADER_SIZE:
        raise UsageError("a truncated EFI zboot image")
    start, size = unpack_from("<II", data, 8)
    if start + size > len(data):
        raise UsageError(f"a truncated EFI zboot image: {start + size:,} bytes are wanted")
    return data[start : start + size]


def _gunzip(data: bytes) -> bytes:
    return _bounded(lambda: zlib.decompressobj(wbits=31), data, "gzip")


def _unxz(data: bytes) -> bytes:
    return _bounded(lzma.LZMADecompressor, data, "xz")


def _unlzma(data: bytes) -> bytes:
    return _bounded(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE), data, "lzma")


def _bunzip2(data: bytes) -> bytes:
    return _bounded(bz2.BZ2Decompressor, data, "bzip2")


def _unlz4(data: bytes) -> bytes:
    return _of_bounded_size(lz4.unpacked(data, KERNEL_MAX))


def _unzstd(data: bytes) -> bytes:
    """Python has zstd from 3.14 on; before, the package zstandard."""
    try:
        return _bounded(import_module("compression.zstd").ZstdDecompressor, data, "zstd")
    except ImportError:
        pass
    try:
        zstandard = import_module("zstandard")
    except ImportError:
        raise UsageError(
            "the kernel is packed with zstd, which this Python cannot read",
            "pip install 'simbbm[images]', or unzstd it",
        ) from None
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            found: bytes = reader.read(KERNEL_MAX + 1)
    except zstandard.ZstdError:
        raise UsageError("damaged: its zstd data cannot be unpacked") from None
    return _of_bounded_size(found)


def _bounded(make: Callable[[], Any], data: bytes, name: str) -> bytes:
    """Unpack with a decompressor of Python's, which all have the same interface."""
    unpacker = make()
    try:
        found: bytes = unpacker.decompress(data, KERNEL_MAX + 1)
    except (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, MemoryError):
        raise UsageError(f"damaged: its {name} data cannot be unpacked") from None
    except Exception as error:  # ZstdError has no name before Python 3.14
        if type(error).__name__ != "ZstdError":
            raise
        raise UsageError(f"damaged: its {name} data cannot be unpacked") from None
    _of_bounded_size(found)
    if not unpacker.eof:
        raise UsageError(f"truncated: its {name} data ends early")
    return found


def _of_bounded_size(found: bytes) -> bytes:
    if len(found) > KERNEL_MAX:
        raise UsageError(f"larger than {KERNEL_MAX >> 20} MiB when it is unpacked")
    return found


COMPRESSIONS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"\x1f\x8b", _gunzip),
    "xz": (b"\xfd7zXZ\0", _unxz),
    "lzma": (b"\x5d\0\0", _unlzma),
    "bzip2": (b"BZh", _bunzip2),
    "zstd": (b"\x28\xb5\x2f\xfd", _unzstd),
    "lz4": (lz4.MAGIC, _unlz4),
}
"""By name: how the data begins, and what unpacks it."""

STRANGERS = (
    (b"HdrS", 0x202, "an x86 kernel"),
    (b"RSC\x05", 56, "a RISC-V kernel"),
    (b"\x04\x22\x4d\x18", 0, "an lz4 file in another frame than kernels are packed in"),
    (b"\x89LZO\0\r\n", 0, "an lzo-packed file"),
    (b"!<arch>\n", 0, "an archive or a Debian package"),
    (b"MZ", 0, "a program for EFI or Windows"),
)
"""What people take for an arm64 kernel: bytes, where they stand, and what it is instead."""
