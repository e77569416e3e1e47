"""A kernel that has booted, as far as one CPU on its way through the split looks at it.

All addresses follow from the image: arch/arm64/include/asm/memory.h says where the linear map and
the array of struct page stand, BTF where members are. Chosen are a RAM of a few mebibytes, a CPU
with VA_BITS_MIN bits, and one block of the linear map's second-lowest level, which is what there is
to split.
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.binary.a64.bits import M64, signed
from simbbm.binary.a64.cpu import Cpu
from simbbm.binary.kernel import Kernel
from simbbm.binary.memory import Memory, Region
from simbbm.core.errors import UsageError

RAM = 0x4000_0000
"""Physical address of the first page of memory, which the linear map begins with."""
IMAGE_AT = 0x4000_0000
"""How far behind it the kernel image is."""
STACK, STACK_SIZE = 0xFFFF_FE00_0000_0000, 0x10000
TASK = 0xFFFF_FD00_0000_0000
RETURN = 0xFFFF_FC00_0000_0000
"""Where the function that is called returns to: the end of the run."""

TABLE_BITS = 0b11
BLOCK_BITS = 0x0068_0000_0000_0701
"""A block of kernel data: valid, AF, inner shareable, UXN, PXN, DBM."""


class Addresses:
    """Constants of asm/memory.h for this kernel."""

    def __init__(self, kernel: Kernel) -> None:
        image = kernel.image
        if not (image.page_size and image.va_bits_min and kernel.va_bits and kernel.btf):
            raise UsageError(
                "the kernel says too little of itself to be run", "it needs BTF or DWARF"
            )
        self.shift = image.page_size.bit_length() - 1
        self.page_offset = -(1 << kernel.va_bits) & M64
        # vabits_actual
        bits = kernel.va_bits if "VA52" in kernel.cpu_features else image.va_bits_min
        self.linear = -(1 << bits) & M64
        self.memstart = RAM - (self.linear - self.page_offset) & M64
        page_end = -(1 << image.va_bits_min - 1) & M64
        size = kernel.btf.size("page")
        self.vmemmap = -(1 << 30) - (page_end - self.page_offset >> self.shift) * size & M64
        self.struct_page = size
        self.txsz = 64 - bits
        self.levels = (bits - 4) // (self.shift - 3)
        """Of tables."""

    def virtual(self, physical: int) -> int:
        """__va()."""
        return self.linear + physical - RAM

    def page(self, physical: int) -> int:
        """The struct page of a physical address: pfn_to_page()."""
        first = signed(self.memstart, 64) >> self.shift
        return self.vmemmap + ((physical >> self.shift) - first) * self.struct_page & M64


class FreshPage(NamedTuple):
    """A page that nobody has."""

    page: int
    """Its `struct page`."""
    virtual: int


class Booted(NamedTuple):
    """A memory, and what a CPU's registers hold."""

    memory: Memory
    addresses: Addresses
    registers: dict[str, int]
    """System registers."""
    voffset: int
    """kimage_voffset: what an address in the image is above its physical address."""
    pages: tuple[FreshPage, ...]
    """What the allocator hands out, in order."""
    flag: int
    """The word that CPUs wait for."""


FLAGS = ("idmap_kpti_bbml2_flag", "idmap_kpti_bbml3_flag")
TABLES_AT = 64
"""Pages of RAM before the tables; they are followed by those that are handed out."""
PAGES = 8


def booted(kernel: Kernel, cpu: int, online: int) -> Booted:
    """Memory and registers of one CPU when the split begins."""
    at, symbols, btf = Addresses(kernel), kernel.symbols, kernel.btf
    assert btf is not None
    voffset = kernel.image.base - (RAM + IMAGE_AT + kernel.kaslr.physical) & M64
    page = 1 << at.shift
    tables = [RAM + page * (TABLES_AT + n) for n in range(4)]
    fresh = [RAM + page * (TABLES_AT + 8 + n) for n in range(PAGES)]
    pages = tuple(FreshPage(at.page(physical), at.virtual(physical)) for physical in fresh)
    memory = Memory(
        kernel.image,
        voffset,
        (
            Region("stack", STACK, STACK_SIZE),
            Region("current", TASK, btf.size("task_struct")),
            Region("tables", at.linear, page * (TABLES_AT + 8 + PAGES)),
            Region("struct page", pages[0].page, at.struct_page * PAGES),
        ),
    )
    flag = next((found for name in FLAGS if (found := symbols.find(name))), None)
    if flag is None:
        raise UsageError(f"the kernel has none of {', '.join(FLAGS)}")
    swapper = symbols.address("swapper_pg_dir")
    words = {symbols.address("memstart_addr"): at.memstart}
    words[symbols.address("kimage_voffset")] = voffset
    words[symbols.address("init_mm") + btf.offset("mm_struct", "pgd")] = swapper
    words[TASK + btf.offset("task_struct", "active_mm")] = symbols.address("init_mm")
    # The tables of the linear map, from swapper_pg_dir down to a block at level 2.
    table = swapper
    for physical in tables[: at.levels - 2]:
        words[table] = physical | TABLE_BITS
        table = at.virtual(physical)
    words[table] = RAM | BLOCK_BITS
    for address, value in words.items():
        memory.write(address, 8, value)
    for address, value in (
        (flag, 1),  # as if no other CPU had arrived yet
        (symbols.address("__num_online_cpus"), online),
        (TASK + btf.offset("task_struct", "thread_info.cpu"), cpu),
    ):
        memory.write(address, 4, value)
    registers = {
        "sp_el0": TASK,
        "tcr_el1": at.txsz << 16 | at.txsz,
        "ttbr0_el1": symbols.address("reserved_pg_dir") - voffset,
        "ttbr1_el1": swapper - voffset,
        "tpidr_el1": 0,
        "daif": 0x3C0,
        "mpidr_el1": 0x80000000 | cpu,
    }
    return Booted(memory, at, registers, voffset, pages, flag)


def entered(kernel: Kernel, name: str) -> Cpu:
    """Registers when a function is called."""
    cpu = Cpu(sp=STACK + STACK_SIZE - 0x100, pc=kernel.symbols.address(name))
    cpu.put(30, RETURN)
    return cpu
