"""Allow lists of CPUs, decoded: `struct midr_range` (arch/arm64/include/asm/cputype.h).

Whether a CPU may change the size of a live block is decided by such a list, since no ID register
promised it when the code was written: cpufeature.c:cpu_supports_bbml2_noabort, bbml3 from 7.3 on.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols

ENTRIES_MAX = 200
LIST = r"supports_bbml\w*_list(\.\w+)*"
"""The static array in cpu_supports_bbml2_noabort; a compiler may number it."""

MODELS = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse N1",
    (0x41, 0xD40): "Neoverse V1",
    (0x41, 0xD46): "Cortex-A510",
    (0x41, 0xD47): "Cortex-A710",
    (0x41, 0xD48): "Cortex-X2",
    (0x41, 0xD49): "Neoverse N2",
    (0x41, 0xD4D): "Cortex-A715",
    (0x41, 0xD4E): "Cortex-X3",
    (0x41, 0xD4F): "Neoverse V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD82): "Cortex-X4",
    (0x41, 0xD83): "Neoverse V3AE",
    (0x41, 0xD84): "Neoverse V3",
    (0x41, 0xD85): "Cortex-X925",
    (0x41, 0xD87): "Cortex-A725",
    (0x41, 0xD88): "Cortex-A520AE",
    (0x41, 0xD89): "Cortex-A720AE",
    (0x41, 0xD8A): "C1-Nano",
    (0x41, 0xD8B): "C1-Pro",
    (0x41, 0xD8C): "C1-Ultra",
    (0x41, 0xD8E): "Neoverse N3",
    (0x41, 0xD90): "C1-Premium",
    (0x4E, 0x010): "NVIDIA Olympus",
    (0x61, 0x022): "Apple M1 Icestorm",
    (0x61, 0x023): "Apple M1 Firestorm",
    (0xC0, 0xAC3): "AmpereOne",
    (0xC0, 0xAC4): "AmpereOne A",
}
"""By implementer and part number, as in cputype.h; anything else is told by its numbers."""
FIRST, LAST = 0, 0xF0000F


class MidrRange(NamedTuple):
    """CPUs of one model whose variant and revision are within a range."""

    midr: int
    """MIDR_EL1 of the model, variant and revision left out."""
    low: int
    high: int
    """First and last variant and revision, in the bits where MIDR_EL1 has them."""

    @property
    def model(self) -> str:
        """What the CPU is called."""
        implementer, part = self.midr >> 24, self.midr >> 4 & 0xFFF
        told = f"implementer {implementer:#x} part {part:#x}"
        return MODELS.get((implementer, part), told)

    @property
    def revisions(self) -> str:
        """Which of them, as Arm writes it: "all", "r0p3 to r0p15", "from r1p1"."""
        if (self.low, self.high) == (FIRST, LAST):
            return "all"
        if self.high == LAST:
            return f"from {revision(self.low)}"
        if self.low == self.high:
            return revision(self.low)
        return f"{revision(self.low)} to {revision(self.high)}"


def revision(bits: int) -> str:
    """Variant and revision as Arm writes them: r0p3."""
    return f"r{bits >> 20 & 15}p{bits & 15}"


def allow_list(image: Image, symbols: Symbols) -> tuple[str, list[MidrRange]] | None:
    """The list of CPUs that may change the size of a live block; None if there is none."""
    lists = symbols.named(LIST)
    if not lists:
        return None
    start, found = lists[0].address, []
    for place in range(start, start + 12 * ENTRIES_MAX, 12):
        row = MidrRange(*(image.u32(place + 4 * n) for n in range(3)))
        if not row.midr:
            break
        found.append(row)
    return lists[0].name, found
