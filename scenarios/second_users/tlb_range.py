"""Flushes by range and with a level: what their registers have to say.

With FEAT_TLBIRANGE the kernel invalidates a range by a few TLBIs (tlbflush.h:__flush_tlb_range_op),
and with FEAT_TTL it says at which level the leaves are. Both are encoded in a register, and
hardware asks nobody whether a bit is in its place: a scale that is too small, a level at which the
leaf is not, an address that is shifted by the size of a page, and another page is invalidated, or
none. (Where these bits are: `simbbm.arm64.translation.tlbi_operand`.)

The kernel here takes pages out of its half of the address space, flushes them, and gives the
memory to a new owner, who writes 2 into it. Another CPU reads the old addresses: it may find 0, or
fault, and must never see the 2. `good` is three pages, a range of two and one more; `blocks` is 64
pages in four blocks, a range with another scale, and of another level. `split` is the merged
protocol, whose flush goes by range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from simbbm_scenarios import linear_map_split as merged

from simbbm import (
    GEOMETRIES,
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    Aborted,
    Cpu,
    CpuSetup,
    Descriptor,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    hardware_for,
    leaf,
    page_address,
    routine,
    scenario,
    table,
    terminates,
)
from simbbm.linux.kernel import Kernel
from simbbm.linux.tlbflush import (
    flush_tlb_kernel_range,
    flush_tlb_range_op,
    tlbi_range_num,
    tlbi_range_pages,
    tlbi_vaddr,
    tlbi_vaddr_range,
)

GEOMETRY = GEOMETRIES["scaled4"]
"""Tables of four entries: a block has 4 pages at level 2, and 16 at level 1."""
WORDS = GEOMETRY.page_words
PAGE_SHIFT = 12
SHIFTS = {"4k": 12, "16k": 14, "64k": 16}
"""Bits of an offset in a page, which registers speak of; here all of them are as small."""
PageSize = Literal["4k", "16k", "64k"]


class Range(NamedTuple):
    """What the kernel unmaps: entries of one table, which map memory from page 0 on."""

    pages: int
    entries: int
    level: int
    linear: int
    """From which page of the kernel's half on it sees the same memory."""
    tables: int
    """The page of its tables, in memory and in its half; the second table is the one it changes."""

    @property
    def table(self) -> int:
        """The table that is changed, in memory."""
        return self.tables * WORDS + GEOMETRY.entries


PAGES = Range(pages=3, entries=3, level=3, linear=4, tables=8)
BLOCKS = Range(pages=64, entries=4, level=1, linear=64, tables=128)


async def kernel(cpu: Cpu, unmapped: Range, shift: int) -> None:
    """CPU 0 unmaps a range, flushes it, and lets the memory's new owner write."""
    for index in range(unmapped.entries):
        await cpu.str(KERNEL_PAGE * WORDS + unmapped.table + index, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await flush_tlb_range_op(cpu, "vaale1is", KERNEL_PAGE, unmapped.pages, unmapped.level, shift)
    await cpu.dsb("ish")
    await cpu.isb()
    for page in (0, unmapped.pages - 1):
        await cpu.str((KERNEL_PAGE + unmapped.linear + page) * WORDS, 2)


async def reader(cpu: Cpu, pages: int) -> None:
    """CPU 1 reads the first page and the last."""
    await look(cpu, 0)
    await look(cpu, pages - 1)


@routine
async def look(cpu: Cpu, page: int) -> None:
    """Read a word that was unmapped, or is going to be."""
    if await cpu.ldr((KERNEL_PAGE + page) * WORDS) == 2:
        await cpu.panic("reads what belongs to the new owner")


async def fault(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - nothing to be asked
    """The page is gone: go on behind the access."""
    await cpu.eret(retry=False)


def machine(
    unmapped: Range, tables: Sequence[tuple[Descriptor, ...]], bits: int, shift: int, hardware: str
) -> Setup:
    """Two CPUs, and tables that follow one another, the root first."""
    root = unmapped.tables * WORDS
    regime = Regime((Ttbr(0),), (Ttbr(root),), (Tcr(0, bits, epd0=True),))
    return Setup(
        geometry=GEOMETRY,
        cpus=(
            CpuSetup(kernel, regime, args=(unmapped, shift)),
            CpuSetup(reader, regime, args=(unmapped.pages,)),
        ),
        tables={root + GEOMETRY.entries * n: entries for n, entries in enumerate(tables)},
        properties=(terminates,),
        hardware=hardware_for(hardware),
        handler=fault,
        symbols={KERNEL_PAGE * WORDS: "x", root: "root", unmapped.table: "entries"},
    )


@scenario(evidence="proved")
def good(*, page_size: PageSize = "4k", hardware: Literal["delayed", "eager"] = "delayed") -> Setup:
    """Three pages: a range of two, and the odd one by itself."""
    base = PAGES.tables * WORDS
    tables = (
        (table(base + 4), leaf(0), leaf(PAGES.tables), INVALID_DESCRIPTOR),
        (leaf(0), leaf(1), leaf(2), INVALID_DESCRIPTOR),
    )
    return machine(PAGES, tables, 4, SHIFTS[page_size], hardware)


@scenario(evidence="proved")
def blocks(
    *, page_size: PageSize = "4k", hardware: Literal["delayed", "eager"] = "delayed"
) -> Setup:
    """Four blocks of level 1, 64 pages: one range, of the next scale."""
    base = BLOCKS.tables * WORDS
    four = tuple(leaf(16 * n) for n in range(4))
    tables = (
        (table(base + 4), table(base + 8), table(base + 12), INVALID_DESCRIPTOR),
        four,
        four,
        (leaf(BLOCKS.tables), *(INVALID_DESCRIPTOR,) * 3),
    )
    return machine(BLOCKS, tables, 8, SHIFTS[page_size], hardware)


@routine
async def without_odd_page(
    cpu: Cpu, op: str, start: int, pages: int, level: int, shift: int
) -> None:
    """The ranges alone: an odd page at the end is left."""
    for scale in (3, 2, 1, 0):
        num = tlbi_range_num(pages, scale)
        if num >= 0:
            xt = tlbi_vaddr_range(start, 0, scale, num, level, shift)
            await cpu.tlbi_raw(f"r{op}", xt, shift)
            start, pages = (
                start + tlbi_range_pages(num, scale),
                pages - tlbi_range_pages(num, scale),
            )


@routine
async def with_previous_scale(
    cpu: Cpu, op: str, start: int, pages: int, level: int, shift: int
) -> None:
    """SCALE is one less than what NUM was worked out for: the range ends far too soon."""
    num = tlbi_range_num(pages, 1)
    await cpu.tlbi_raw(f"r{op}", tlbi_vaddr_range(start, 0, 0, num, level, shift), shift)


@routine
async def with_narrow_num(
    cpu: Cpu, op: str, start: int, pages: int, level: int, shift: int
) -> None:
    """Units of two pages, and NUM is cut to four bits."""
    num = (pages >> 1) - 1 & 15
    await cpu.tlbi_raw(f"r{op}", tlbi_vaddr_range(start, 0, 0, num, level, shift), shift)


@routine
async def with_level_above(
    cpu: Cpu, op: str, start: int, pages: int, level: int, shift: int
) -> None:
    """The level at which the table is, not that of its leaves."""
    above = level - 1 or 2
    await flush_tlb_range_op(cpu, op, start, pages, above, shift)


@routine
async def with_byte_address(
    cpu: Cpu, op: str, start: int, pages: int, level: int, shift: int
) -> None:
    """BaseADDR is shifted by 12 once more than it is."""
    xt = tlbi_vaddr_range(start, 0, 0, 0, level, shift)
    base = xt & (1 << 37) - 1
    await cpu.tlbi_raw(f"r{op}", xt - base + (base >> 12), shift)
    await cpu.tlbi_raw(op, tlbi_vaddr(start + pages - 1, 0, level, shift), shift)


@routine
async def shifted_by_page_size(
    cpu: Cpu,
    op: str,
    start: int,
    pages: int,
    level: int,  # noqa: ARG001
    shift: int,
) -> None:
    """Page by page, the address shifted as a page number is, and not by 12."""
    for page in range(start, start + pages):
        xt = page_address(page, shift) >> shift & (1 << 44) - 1
        await cpu.tlbi_raw(op, xt, shift)


@routine
async def by_range(cpu: Cpu, k: Kernel, start: int, end: int) -> None:  # noqa: ARG001
    """tlbflush.h:flush_tlb_kernel_range of CPUs with FEAT_TLBIRANGE."""
    await cpu.dsb("ishst")
    await flush_tlb_range_op(cpu, "vaale1is", start, end - start, 0, PAGE_SHIFT)
    await cpu.dsb("ish")
    await cpu.isb()


split = merged.good.twin(
    "The merged protocol, whose final flush goes by range.",
    expect="HOLDS",
    replace={flush_tlb_kernel_range: by_range},
)

odd_page = good.twin(
    "A TLBI by range is for an even number of pages; the third one is forgotten.",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: without_odd_page},
)

previous_scale = blocks.twin(
    "The scale is too small by one: 2 pages of 64 are invalidated, and with them their block.",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: with_previous_scale},
)

num_too_small = blocks.twin(
    "NUM has five bits; one of them is lost, and half of the range.",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: with_narrow_num},
)

wrong_level = good.twin(
    "The hint says level 2, and the leaves are at level 3: none of them need be invalidated.",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: with_level_above},
)

wrong_level_of_blocks = blocks.twin(
    "The same with blocks: the hint says level 2, they are at level 1.",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: with_level_above},
)

shifted_base = good.twin(
    "The range begins at an address that was shifted once more: other pages are invalidated.",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: with_byte_address},
)

shifted_by_page = good.twin(
    "The address in the register is shifted by the size of a page, 64K, and not by 12 (Zephyr "
    "115708).",
    expect="VIOLATED:no_panic",
    replace={flush_tlb_range_op: shifted_by_page_size},
    page_size="64k",
)

shifted_by_4k = shifted_by_page.twin(
    "The same with pages of 4K, where the two are one.",
    expect="HOLDS",
    page_size="4k",
)
