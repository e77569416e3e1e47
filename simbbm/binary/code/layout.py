"""A kernel that has booted, with its real tables: what a machine starts as when the split begins.

Physical memory begins with the linear map's leaves, which hold its lower tables, each CPU's
`current` and the pages that the allocator hands out; the image is above. `binary/booted.py` says
which constants follow from the image.

Simplified: of the image those pages are mapped that the split accesses, each as a page, and one
that stands for all that is only read (`MemoryMap.read_only`); the linear map has no alias of the
image, so that nothing of it keeps its blocks; a new table is empty before it is filled (the kernel
does not clear it).
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from simbbm.arm64.context import Region as Named
from simbbm.arm64.descriptor import INVALID_DESCRIPTOR, RO, ROX, RW, Attributes, Descriptor
from simbbm.arm64.geometry import GEOMETRIES, KERNEL_PAGE
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.translation.builder import TableBuilder
from simbbm.binary.a64.bits import M64
from simbbm.binary.booted import FLAGS, RAM, STACK, STACK_SIZE, Addresses
from simbbm.binary.code.memory_map import WORD, Cell, MemoryMap
from simbbm.binary.code.parts import parts
from simbbm.binary.kernel import Kernel
from simbbm.binary.memory import Region
from simbbm.core.errors import UsageError

IDMAP_VA_BITS = 48
"""Of the idmap, whatever the kernel has (asm/kernel-pgtable.h)."""
MSDATA = STACK + (STACK_SIZE << 4)
"""struct multi_stop_data, which is on the stack of who calls stop_machine()."""
PREPARE = 1
"""MULTI_STOP_PREPARE: what stop_machine_cpuslocked() sets before it queues the works."""
WAIT = "wait_linear_map_split_to_ptes"
"""What secondaries run in the idmap."""
GRANULES = {12: "4k", 14: "16k", 16: "64k"}
GIGABYTE = 1 << 30
CURRENT_AT, TABLES_AT, FRESH_AT = 16, 64, 96
"""Pages of the linear map's first part: `current`, its tables, and pages that nobody has."""
BEHIND_IMAGE = 16
"""Pages between the image and the tables that map it."""


class Layout(NamedTuple):
    """Memory as it is when the split begins."""

    memory_map: MemoryMap
    tables: dict[int, tuple[Descriptor, ...]]
    data: dict[int, int]
    symbols: dict[int, str]
    table_names: frozenset[int]
    regions: tuple[Named, ...]
    regime: Regime
    registers: dict[str, int]
    words: dict[int, int]
    """What each CPU's own memory holds, where it is not 0."""
    swapper: int
    reserved: int
    """Word addresses of these tables."""
    text: int
    """A page of kernel text."""
    mapped: tuple[tuple[int, int], ...]
    """Pages that are mapped, the first and how many."""
    split: tuple[tuple[int, int], ...]
    """Those that are to consist of pages in the end."""
    leaves: tuple[int, ...]
    """One page of every leaf of the linear map: what walkers speculate on."""


def layout(kernel: Kernel, name: str, cpus: int, *, stops: bool = False) -> Layout:
    """Lay out memory for a kernel, with the linear map in these parts.

    With `stops` stop_machine() has queued its works, and multi_cpu_stop() begins on each CPU.
    """
    return _Builder(kernel, name, cpus, stops=stops).layout()


class _Builder:
    def __init__(self, kernel: Kernel, name: str, cpus: int, *, stops: bool) -> None:
        assert kernel.btf is not None
        self.kernel = kernel
        self.cpus = cpus
        self.stops = stops
        self.at = Addresses(kernel)
        self.shift = self.at.shift
        self.geometry = GEOMETRIES[GRANULES[self.shift]]
        self.va_bits = 64 - self.at.txsz
        self.bits = self.va_bits - self.shift
        self.parts = parts(name, self.geometry)
        last = self.parts[-1]
        self.pages = last.first + last.pages
        end = RAM + (self.pages << self.shift)
        self.image_at = -(-max(end, RAM + GIGABYTE) // GIGABYTE) * GIGABYTE + kernel.kaslr.physical
        self.voffset = kernel.image.base - self.image_at & M64
        self.builder = TableBuilder(self.geometry)
        behind = self.image_at + kernel.image.end - kernel.image.base >> self.shift
        words = self.geometry.page_words
        self.fixed = count((behind + BEHIND_IMAGE) * words, words)
        self.current = self.at.virtual(RAM + (CURRENT_AT << self.shift))
        self.mapped: dict[int, int] = {}
        """Pages of the image and the stack, and the pages of memory that they are."""

    def layout(self) -> Layout:
        swapper = self.builder.table(self._word("swapper_pg_dir"), "pgd")
        reserved = self.builder.table(self._word("reserved_pg_dir"), "reserved_pg_dir")
        fresh = self._map_linear(swapper)
        cells = self._cells()
        levels = self._levels(swapper)
        memory_map = self._memory_map(cells, fresh, levels)
        text = self._page(self.kernel.symbols.address("linear_map_split_to_ptes"))
        self._map_image(swapper, memory_map, text)
        self._map_idmap(memory_map)
        tcr = Tcr(self.bits, self.bits)
        regime = Regime((Ttbr(reserved),), (Ttbr(swapper),), (tcr,))
        names, contents = dict(self.builder.names), self.builder.contents()
        empty = contents[reserved]
        for n, page in enumerate(fresh):
            contents[page // WORD] = empty
            names[page // WORD] = f"new{n}"
        return Layout(
            memory_map=memory_map,
            tables=contents,
            data=self._data(memory_map),
            symbols=self._symbols(memory_map, names),
            table_names=frozenset(self._table_names(memory_map, names)),
            regions=self._regions(memory_map, text),
            regime=regime,
            registers=self._registers(swapper, reserved),
            words=self._words(),
            swapper=swapper,
            reserved=reserved,
            text=text,
            mapped=(*self._linear(), *((page, 1) for page in sorted(self.mapped))),
            split=tuple(self._linear()),
            leaves=tuple(KERNEL_PAGE + part.first for part in self.parts),
        )

    def _linear(self) -> list[tuple[int, int]]:
        return [(KERNEL_PAGE + part.first, part.pages) for part in self.parts]

    def _physical(self, address: int) -> int:
        return address - self.voffset & M64

    def _word(self, symbol: str) -> int:
        """The word of a table of the image."""
        return self._physical(self.kernel.symbols.address(symbol)) // WORD

    def _page(self, address: int) -> int:
        """The machine's page of an address in the upper half."""
        return KERNEL_PAGE + ((address & (1 << self.va_bits) - 1) >> self.shift)

    def _map_linear(self, swapper: int) -> tuple[int, ...]:
        """The linear map; returns the pages that the allocator has."""
        words = self.geometry.page_words
        first = (RAM >> self.shift) * words
        lower = count(first + TABLES_AT * words, words)
        for part in self.parts:
            self.builder.map(
                swapper,
                self.bits,
                KERNEL_PAGE + part.first,
                (RAM >> self.shift) + part.first,
                RW,
                allocate=lower,
                level=part.level,
                count=part.count,
                contiguous=part.contiguous,
            )
        needed = sum(
            part.pages // self.geometry.pages(2) + (part.level == 1)
            for part in self.parts
            if part.level < 3
        )
        if FRESH_AT + needed > self.parts[0].pages:
            raise UsageError(
                f"the split wants {needed} new tables, and the first part of the layout has too "
                "few pages for them",
                "let it begin with pmd, contpmd or pud",
            )
        at = RAM + (FRESH_AT << self.shift)
        return tuple(at + (n << self.shift) for n in range(needed))

    def _cells(self) -> tuple[Cell, ...]:
        symbols = self.kernel.symbols
        flag = next((name for name in FLAGS if symbols.find(name)), None)
        if flag is None:
            raise UsageError(f"the kernel has none of {', '.join(FLAGS)}")
        offset = self.kernel.btf.offset if self.kernel.btf else None
        names = (("flag", flag), ("num_online_cpus", "__num_online_cpus"))
        variables = tuple(Cell(told, symbols.address(name), 4) for told, name in names)
        if offset is None or not self.stops:
            return variables
        members = ("state", "thread_ack")
        at = (MSDATA + offset("multi_stop_data", member) for member in members)
        return (*variables, *map(Cell, members, at, (4, 4)))

    def _stopping(self) -> dict[int, int]:
        """What stop_machine(linear_map_split_to_ptes, NULL, cpu_online_mask) tells all CPUs."""
        if not self.stops:
            return {}
        assert self.kernel.btf is not None
        symbols, offset = self.kernel.symbols, self.kernel.btf.offset
        mask = symbols.address("__cpu_online_mask")
        members = {
            "fn": symbols.address("linear_map_split_to_ptes"),
            "data": 0,
            "num_threads": self.cpus,
            "active_cpus": mask,
        }
        told = {MSDATA + offset("multi_stop_data", name): value for name, value in members.items()}
        return told | {mask: (1 << self.cpus) - 1}

    def _levels(self, swapper: int) -> dict[int, int]:
        """The level of each table of the linear map, by its first word."""
        found = {swapper: self.geometry.start_level(self.bits)}
        waiting = [swapper]
        while waiting:
            at = waiting.pop()
            for entry in self.builder.tables[at]:
                if entry.kind == "table":
                    found[entry.output] = found[at] + 1
                    waiting.append(entry.output)
        return found

    def _memory_map(
        self, cells: tuple[Cell, ...], fresh: tuple[int, ...], levels: dict[int, int]
    ) -> MemoryMap:
        kernel, at = self.kernel, self.at
        assert kernel.btf is not None
        symbols, offset = kernel.symbols, kernel.btf.offset
        constants = {
            symbols.address("memstart_addr"): at.memstart,
            symbols.address("kimage_voffset"): self.voffset,
            symbols.address("init_mm") + offset("mm_struct", "pgd"): symbols.address(
                "swapper_pg_dir"
            ),
        } | self._stopping()
        pages = [at.page(physical) for physical in fresh] or [at.page(RAM)]
        size = kernel.btf.size("task_struct")
        return MemoryMap(
            kernel=kernel,
            geometry=self.geometry,
            shift=self.shift,
            va_bits=self.va_bits,
            linear=at.linear,
            ram=RAM,
            ram_size=self.pages << self.shift,
            voffset=self.voffset,
            cells=cells,
            levels=levels,
            fresh=fresh,
            own=(Region("stack", STACK, STACK_SIZE), Region("current", self.current, size)),
            unmapped=(Region("struct page", pages[0], at.struct_page * len(pages)),),
            constants=constants,
            pages={physical: at.page(physical) for physical in fresh},
            read_only=symbols.address("memstart_addr"),
            empty=self._is_empty,
            current_cpu=self.current + offset("task_struct", "thread_info.cpu"),
        )

    def _is_empty(self, word: int) -> bool:
        entries = self.geometry.entries
        return self.builder.tables[word & -entries][word % entries] == INVALID_DESCRIPTOR

    def _map(self, root: int, address: int, attributes: Attributes, physical: int) -> None:
        """Map the page of an address in the upper half, once."""
        page = self._page(address)
        if page in self.mapped:
            return
        self.mapped[page] = physical >> self.shift
        at = physical >> self.shift
        self.builder.map(root, self.bits, page, at, attributes, allocate=self.fixed)

    def _map_image(self, swapper: int, memory_map: MemoryMap, text: int) -> None:
        image = self.kernel.image.base
        first = image + ((text - self._page(image)) << self.shift)
        self._map(swapper, first, ROX, self._physical(first))
        data = [cell.address for cell in memory_map.cells if cell.address >= image]
        for address in (*data, self.kernel.symbols.address("swapper_pg_dir")):
            self._map(swapper, address, RW, self._physical(address))
        only_read = memory_map.read_only
        self._map(swapper, only_read, RO, self._physical(only_read))
        if self.stops:
            self._map(swapper, MSDATA, RW, self._physical(MSDATA))
        for n in range(STACK_SIZE >> self.shift):
            at = next(self.fixed) * WORD
            self._map(swapper, STACK + (n << self.shift), RW, at)

    def _map_idmap(self, memory_map: MemoryMap) -> None:
        """The idmap: the routines that run in it, and the flag, at their physical addresses."""
        symbols = self.kernel.symbols
        bits = IDMAP_VA_BITS - self.shift
        idmap = self.builder.table(self._idmap_root(), "idmap_pg_dir")
        wait = symbols.address(WAIT)
        start = symbols.find("__idmap_text_start") or wait
        end = symbols.find("__idmap_text_end") or wait + 4
        first, last = (self._physical(a) >> self.shift for a in (start, end - 4))
        pages = range(first, last + 1)
        for page in pages:
            self.builder.map(idmap, bits, page, page, ROX, allocate=self.fixed)
        flag = self._physical(memory_map.cells[0].address) >> self.shift
        if flag not in pages:
            self.builder.map(idmap, bits, flag, flag, RW, allocate=self.fixed)

    def _idmap_root(self) -> int:
        """idmap_pg_dir; an image that has none installs no idmap."""
        found = self.kernel.symbols.find("idmap_pg_dir")
        return next(self.fixed) if found is None else self._physical(found) // WORD

    def _data(self, memory_map: MemoryMap) -> dict[int, int]:
        """The flag is 1, as if no other CPU had arrived yet."""
        values = {"flag": 1, "num_online_cpus": self.cpus}
        values |= {"state": PREPARE, "thread_ack": self.cpus}
        return {
            memory_map.cell_physical(cell): values[cell.name]
            for cell in memory_map.cells
            if cell.name in values
        }

    def _symbols(self, memory_map: MemoryMap, names: dict[int, str]) -> dict[int, str]:
        found = dict(names)
        first = memory_map.word(memory_map.linear)
        ram = RAM // WORD
        for physical, name in names.items():
            if 0 <= physical - ram < memory_map.ram_size // WORD:
                found[first + physical - ram] = name
        found[memory_map.word(self.kernel.symbols.address("swapper_pg_dir"))] = "pgd"
        for cell in memory_map.cells:
            physical = memory_map.cell_physical(cell)
            found |= {physical: cell.name, memory_map.cell_word(cell, cell.address): cell.name}
        return found

    def _table_names(self, memory_map: MemoryMap, names: dict[int, str]) -> set[int]:
        cells = {cell.name for cell in memory_map.cells}
        named = self._symbols(memory_map, names)
        return {address for address, name in named.items() if name not in cells}

    def _regions(self, memory_map: MemoryMap, text: int) -> tuple[Named, ...]:
        seen: dict[str, int] = {}
        found = []
        for part in self.parts:
            seen[part.name] = number = seen.get(part.name, 0) + 1
            name = f"lm.{part.name}{number if number > 1 else ''}"
            found.append(Named(KERNEL_PAGE + part.first, part.pages, name))
        pages = STACK_SIZE >> self.shift
        rodata = self._page(memory_map.read_only)
        idmap = self._physical(self.kernel.symbols.address(WAIT)) >> self.shift
        return (
            *(Named(self._page(self.current) + n, 1, "current") for n in range(2)),
            *found,
            Named(text, 1, "text"),
            Named(idmap, 1, "idmap.text"),
            Named(rodata, 1, "rodata"),
            Named(self._page(STACK), pages, "stack"),
        )

    def _registers(self, swapper: int, reserved: int) -> dict[str, int]:
        size = self.at.txsz
        return {
            "sp_el0": self.current,
            "tcr_el1": 1 << 22 | size << 16 | size,  # Linux sets A1.
            "ttbr0_el1": reserved * WORD,
            "ttbr1_el1": swapper * WORD,
            "tpidr_el1": 0,
            "daif": 0x3C0,
        }

    def _words(self) -> dict[int, int]:
        assert self.kernel.btf is not None
        offset = self.kernel.btf.offset("task_struct", "active_mm")
        return {self.current + offset: self.kernel.symbols.address("init_mm")}
