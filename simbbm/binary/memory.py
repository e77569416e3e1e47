"""Memory while a kernel's instructions are executed: the image, and zeros where something is.

Little-endian words of 8 bytes, by virtual address. Nothing is translated, but for the image's
physical addresses: what runs in the idmap reaches its data there.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.binary.a64.bits import M64, mask
from simbbm.binary.formats.image import Image


class NothingThere(Exception):
    """An access to an address that no region has."""


class Region(NamedTuple):
    """Addresses that exist, and what they are called."""

    name: str
    start: int
    size: int


class Memory:
    """What instructions have written, over the image and regions of zeros."""

    def __init__(self, image: Image, voffset: int, regions: tuple[Region, ...]) -> None:
        self._image = image
        self._voffset = voffset
        self._regions = regions
        self._words: dict[int, int] = {}

    def virtual(self, address: int) -> int:
        """An address; of the image's physical ones, where it is in the image."""
        moved = address + self._voffset & M64
        return moved if self._image.holds(moved) and not self._image.holds(address) else address

    def region(self, address: int) -> str | None:
        """The name of the region that an address is in; None: it is the image's, or nobody's."""
        for region in self._regions:
            if region.start <= address < region.start + region.size:
                return region.name
        return None

    def read(self, address: int, size: int) -> int:
        """A number of `size` bytes."""
        address = self.virtual(address)
        first, shift = address & ~7, 8 * (address & 7)
        value = self._word(first)
        if shift + 8 * size > 64:
            value |= self._word(first + 8) << 64
        return value >> shift & mask(8 * size)

    def write(self, address: int, size: int, value: int) -> None:
        """Its bytes."""
        address = self.virtual(address)
        first, shift = address & ~7, 8 * (address & 7)
        changed = mask(8 * size) << shift
        for place, part in ((first, 0), (first + 8, 64)):
            if bits := changed >> part & M64:
                new = value << shift >> part & M64
                self._words[place] = self._word(place) & ~bits | new & bits

    def _word(self, address: int) -> int:
        """Eight bytes at a multiple of eight: as written, or as they were at the start."""
        found = self._words.get(address)
        if found is not None:
            return found
        if self._image.holds(address):
            return self._image.u64(address)
        if self.region(address) is None:
            raise NothingThere(f"{address:#x}")
        return 0
