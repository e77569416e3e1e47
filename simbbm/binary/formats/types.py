"""The structures of a kernel: out of BTF, or of DWARF where there is none."""

from __future__ import annotations

from simbbm.binary.formats.btf import Btf, btf_of
from simbbm.binary.formats.dwarf import Dwarf, dwarf_of
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols

Types = Btf | Dwarf


def types_of(image: Image, symbols: Symbols) -> Types | None:
    """The types of an image; None if it was built without, or nothing here can read them."""
    found = btf_of(image, symbols)
    return dwarf_of(image) if found is None else found
