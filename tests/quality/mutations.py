"""One instruction of a real kernel changed at a time: what is found, and that it replays.

    python -m tests.quality.mutations IMAGE

IMAGE is Debian's 7.2.13 (linux-binary-7.2.13+deb14-arm64), whose offsets these are; the rows are
those of `simbbm guide kernel`. Each row is a word in a copy of the image, its verdict, and for a
failure that its counterexample replays on that copy, step by step.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import simbbm
from simbbm.binary.features.alternatives import NOP
from simbbm.binary.kernel import Kernel, kernel
from simbbm.images import scenario as images

WAIT, COUNT = "wait_linear_map_split_to_ptes", "scondary_cpu_wait"
SPLIT, PMD = "linear_map_split_to_ptes", "split_pmd"
SIZE, FAULT = "VIOLATED no_size_change_seen", "VIOLATED no_fault_on_live_map"
STUCK, PROVED = "STUCK terminates", "PROVED"


class Mutation(NamedTuple):
    """A word of a function, what it becomes, and what comes of it."""

    function: str
    offset: int
    change: Callable[[int], int]
    verdict: str


def nop(_: int) -> int:
    """NOP."""
    return NOP


def word(new: int) -> Callable[[int], int]:
    """Another word, whatever was there."""
    return lambda _: new


def more(old: int) -> int:
    """One more in imm12, bits 21:10."""
    return old + (1 << 10)


def plain_load(old: int) -> int:
    """LDR (32 bits) with the registers of an LDXR or LDAR."""
    return 0xB9400000 | old & 0x3FF


def register(number: int) -> Callable[[int], int]:
    """Another Rt."""
    return lambda old: old & ~31 | number


def always(old: int) -> int:
    """B in place of B.cond."""
    return 0x14000000 | old >> 5 & 0x7FFFF


DMB_NSH, DMB_ISHST, TLBI_IS = 0xD50337BF, 0xD5033ABF, 0xD508831F

MUTATIONS = (
    Mutation(WAIT, 0x1C, nop, SIZE),
    Mutation(WAIT, 0x20, nop, SIZE),
    Mutation(WAIT, 0x24, nop, SIZE),
    Mutation(WAIT, 0x28, nop, SIZE),
    Mutation(WAIT, 0x28, word(DMB_NSH), SIZE),
    Mutation(WAIT, 0x24, word(TLBI_IS), PROVED),
    Mutation(WAIT, 0x2C, nop, PROVED),
    Mutation(COUNT, 0x4, more, STUCK),
    Mutation(COUNT, 0x8, nop, STUCK),
    Mutation(COUNT, 0xC, nop, PROVED),
    Mutation(COUNT, 0x10, nop, STUCK),
    Mutation(COUNT, 0x14, nop, PROVED),
    Mutation(COUNT, 0x18, plain_load, STUCK),
    Mutation(COUNT, 0x1C, nop, SIZE),
    Mutation(COUNT, 0x20, nop, FAULT),
    Mutation(COUNT, 0x24, nop, FAULT),
    Mutation(COUNT, 0x20, register(17), FAULT),
    Mutation(SPLIT, 0xB4, always, SIZE),
    Mutation(SPLIT, 0xB4, lambda old: old ^ 1, SIZE),
    Mutation(SPLIT, 0xA8, plain_load, PROVED),
    Mutation(SPLIT, 0xC0, nop, STUCK),
    Mutation(SPLIT, 0x11C, nop, STUCK),
    Mutation(SPLIT, 0x2C, nop, STUCK),
    Mutation(SPLIT, 0x138, nop, STUCK),
    Mutation(SPLIT, 0x134, nop, FAULT),
    Mutation(SPLIT, 0x13C, nop, "VIOLATED context_restored"),
    Mutation(PMD, 0x148, nop, FAULT),
    Mutation(PMD, 0x148, word(DMB_ISHST), PROVED),
    Mutation(PMD, 0x158, nop, "VIOLATED all_ptes_at_end"),
    Mutation(PMD, 0xE0, more, "VIOLATED no_tlb_conflict"),
)


def found(good: Kernel, data: bytes, mutation: Mutation, copy: Path) -> str:
    """What comes of a mutation, with whether its counterexample replays."""
    address = good.symbols.address(mutation.function) + mutation.offset
    old, at = good.image.u32(address), address - good.image.base
    new = mutation.change(old)
    copy.write_bytes(data[:at] + new.to_bytes(4, "little") + data[at + 4 :])
    answer = simbbm.explore(simbbm.kernel_image(copy))
    told = f"{answer.verdict} {answer.property or ''}".rstrip()
    if answer.witness is not None:
        again = simbbm.replay(answer.witness)
        told += f", {again.result} {again.how}"
    for memo in (images._scenarios, images._read):  # An image takes 150 MB.
        memo.cache_clear()
    return f"{mutation.function}+{mutation.offset:#x} {old:08x} -> {new:08x}: {told}"


def main() -> int:
    """Print a line for each mutation; 1 if one of them is not as it should be."""
    path = Path(sys.argv[1])
    good, data = kernel(path), path.read_bytes()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for mutation in MUTATIONS:
            line = found(good, data, mutation, Path(folder) / "vmlinuz")
            wanted = mutation.verdict
            if wanted != PROVED:
                wanted += ", REPRODUCED exact"
            fine = line.endswith(f": {wanted}")
            wrong += not fine
            sys.stdout.write(f"{'ok     ' if fine else 'FAILED '} {line}\n")
            sys.stdout.flush()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
