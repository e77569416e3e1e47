"""Where things are: physical memory, the linear map's layout, the kernel image, the idmap.

The tables of the linear map, and the pages that the allocator hands out for new ones, lie inside
the linear map itself, below its first leaf: the boot CPU works through the map that it is
splitting. The kernel image (text, data, stack), the idmap and the reserved table never change.

Simplified: the image's data pages have no alias in the linear map, its text only in layouts with
one; two halves of the TTBR1 region stand for the linear map and everything else.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Annotated, NamedTuple

from simbbm.arm64.context import Region
from simbbm.arm64.descriptor import RO, ROX, RW, Descriptor
from simbbm.arm64.geometry import KERNEL_PAGE, LEAF_LEVEL, Geometry
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.translation.builder import TableBuilder
from simbbm.core.errors import UsageError
from simbbm.core.programs.everyone import Counter
from simbbm.linux.kernel import Kernel
from simbbm.linux.pgtable import PTE_PRESENT_INVALID
from simbbm.linux.stop_machine import MultiStop
from simbbm.parameters import OneOf

LAYOUTS: dict[str, tuple[str, ...]] = {
    "mixed": ("pud", "contpmd", "pmd", "contpte", "text", "pages"),
    "pmd": ("pmd",),
    "contpmd": ("contpmd",),
    "pud": ("pud",),
    "pud39": ("pud",),
    "contpte": ("contpte",),
    "pages": ("pages",),
    "sides": ("pmd", "text", "far"),
    "regions": ("pmd", "hole", "far"),
    "invalid": ("pmd", "invalid"),
    "straddle": ("pmd", "head", "text", "tail"),
}
"""The linear map's leaves in order of address; `text` is the kernel's alias, which stays large.

The alias may begin in the middle of a block, `head`, and end in the middle of another, `tail`: the
kernel maps it from _text on and takes it to begin at _stext.

`far` is one more level 2 block, `invalid` one that was made invalid (set_memory_valid() and
relatives), `hole` belongs to no memblock region.

Where the granule has no level 1 blocks, `mixed` goes without one."""

ALIAS = ("head", "text", "tail")
"""Parts with the kernel's alias, in order."""
PARTS = ("pud", "contpmd", "pmd", "contpte", "pages", *ALIAS, "far", "invalid", "hole")
LayoutName = Annotated[str, OneOf(tuple(LAYOUTS), PARTS)]
"""The parameter of scenarios: a layout by its name, or one of one's own (`pmd+contpte+pmd`)."""

UNMAPPED = ("hole", "invalid")
"""Parts in which nothing is mapped."""

VARIABLES = (
    "msdata_fn",
    "msdata_num_threads",
    "msdata_state",
    "msdata_thread_ack",
    "work_arg",
    "stop_work",
    "works_taken",
    "stop_done",
    "stack",
    "scratch",
)
"""Words of the kernel's data behind the flag, in order."""


class Layout(NamedTuple):
    """A kernel that has booted on all CPUs, just before it decides to repaint."""

    kernel: Kernel
    tables: dict[int, tuple[Descriptor, ...]]
    symbols: dict[int, str]
    table_names: frozenset[int]
    regions: tuple[Region, ...]
    regime: Regime
    swapper: int
    """Physical address of swapper_pg_dir."""
    mapped: tuple[tuple[int, int], ...]
    """Every range of kernel pages that is mapped: first and count."""
    repainted: tuple[tuple[int, int], ...]
    """What must consist of pages in the end."""
    data: dict[int, int]
    """What memory holds at the start, where it is not 0."""
    counters: dict[int, Counter]
    """The words that all CPUs count in, by physical address."""
    leaves: tuple[int, ...]
    """One page of every leaf, or group, of the linear map: what walkers speculate on."""


def layout(
    name: str,
    geometry: Geometry,
    cpus: int,
    *,
    flush_by_page: bool = False,
    high: bool = False,
) -> Layout:
    """Lay out memory and build the tables.

    `flush_by_page` puts MAX_DVM_OPS above the linear map's size, else it is below, as on every real
    machine. `high` puts the image's data so high that the idmap needs more address bits than the
    kernel runs with (S4).
    """
    return _Builder(name, geometry, cpus, flush_by_page=flush_by_page, high=high).layout()


def _sizes(geometry: Geometry, part: str) -> tuple[int, int, bool]:
    """Level, number of entries and contiguity of one part of the linear map."""
    table = geometry.entries
    return {
        "pud": (1, 1, False),
        "contpmd": (2, geometry.group(2), True),
        "pmd": (2, 1, False),
        **dict.fromkeys(ALIAS, (2, 1, False)),
        "far": (2, 1, False),
        "invalid": (2, 1, False),
        "hole": (2, 1, False),
        "contpte": (3, table, True),
        "pages": (3, table, False),
    }[part]


class _Builder:
    def __init__(
        self, name: str, geometry: Geometry, cpus: int, *, flush_by_page: bool, high: bool
    ) -> None:
        self.name = name
        self.geometry = geometry
        self.cpus = cpus
        self.flush_by_page = flush_by_page
        self.high = high
        self.builder = TableBuilder(geometry)
        self.parts: list[tuple[str, int, int]] = []
        """Name, first page and pages of every part of the linear map."""
        page = 0
        for part in self._parts(name):
            level, entries, _ = _sizes(geometry, part)
            pages = entries * geometry.pages(level)
            page = -(-page // geometry.pages(level)) * geometry.pages(level)
            self.parts.append((part, page, pages))
            page += pages
        self.lm_pages = page
        self.bits = self._region_bits(name)
        self.image = KERNEL_PAGE + (1 << self.bits - 1)
        """First virtual page of the kernel image."""

    def _parts(self, name: str) -> tuple[str, ...]:
        """Return the parts; only the 4K granule has level 1 blocks (pud_sect_supported)."""
        parts = LAYOUTS.get(name) or tuple(name.split("+"))
        if not self.geometry.level1_blocks:
            parts = tuple(part for part in parts if part != "pud")
        if not parts:
            raise UsageError(
                f"layout={name}: the {self.geometry.name} granule has no level 1 blocks",
                "with geometry=16k and 64k take another layout",
            )
        of_alias = [(at, ALIAS.index(part)) for at, part in enumerate(parts) if part in ALIAS]
        for (at, one), (next_at, other) in pairwise(of_alias):
            if next_at != at + 1 or other <= one:
                raise UsageError(
                    f"layout={name}: the kernel has one text",
                    "write pmd in place of the others, or head+text+tail",
                )
        return parts

    def _alias(self) -> tuple[int, int]:
        """First page of the kernel's alias in the linear map, and how many there are."""
        parts = [(part, p, n) for part, p, n in self.parts if part in ALIAS]
        if not parts:
            return self.lm_pages, 0
        (part, first, size), (last, end, last_size) = parts[0], parts[-1]
        start = first + size // 2 if part == "head" else first
        return start, end + (last_size // 2 if last == "tail" else last_size) - start

    def _require_room(self, end: int) -> None:
        """Refuse a layout that begins with too little writable memory for all tables, up to `end`.

        The CPU that splits the linear map writes its tables through it.
        """
        writable = 0
        for part, first, pages in self.parts:
            if part in ("text", *UNMAPPED) or first != writable:
                break
            writable = first + pages
        if end > writable * self.geometry.page_words:
            need = -(-end // self.geometry.page_words)
            raise UsageError(
                f"layout={self.name}: the tables need {need} pages, and it begins with {writable} "
                "that are mapped and writable",
                "let it begin with more: pmd, contpmd or pud",
            )

    def _region_bits(self, name: str) -> int:
        """Page-number bits of the TTBR1 region: 39-bit and 48-bit VAs, or as many as it takes."""
        bits = self.geometry.entry_bits * (3 if name == "pud39" else 4)
        while self.lm_pages > 1 << bits - 1:
            bits += self.geometry.entry_bits
        return bits

    def layout(self) -> Layout:
        geometry, words = self.geometry, self.geometry.page_words
        # Physical pages above the linear map: image text and data, then tables that never move.
        text_at = next((page for part, page, _ in self.parts if part == "text"), None)
        text = self.lm_pages if text_at is None else text_at
        data = self.lm_pages + geometry.pages(2)
        if self.high:
            data = max(data, 1 << self.bits)
        fixed_tables = count((data + 1) * words, geometry.entries)
        swapper = self.builder.table(next(fixed_tables), "pgd")
        lm_tables = count(0, geometry.entries)
        self._map_linear(swapper, lm_tables)
        self._map_image(swapper, text, data, fixed_tables)
        reserved = self.builder.table(next(fixed_tables), "reserved_pg_dir")
        idmap = self.builder.table(next(fixed_tables), "idmap_pg_dir")
        idmap_bits = max(self.bits, (data + 1).bit_length())
        idmap_bits = -(-idmap_bits // geometry.entry_bits) * geometry.entry_bits
        for page, attributes in ((text + 1, ROX), (data, RW)):
            self.builder.map(idmap, idmap_bits, page, page, attributes, allocate=fixed_tables)
        tcr = Tcr(self.bits, self.bits)
        free = -(-next(lm_tables) // words) * words
        self._require_room(free + self._tables_needed() * geometry.entries)
        kernel = self._kernel(
            swapper=(self.image_data + 1) * words,
            free=free,
            data=data,
            text=text,
            reserved=reserved,
            idmap=Ttbr(idmap),
            tcr=tcr,
            idmap_tcr=tcr._replace(t0_bits=idmap_bits),
        )
        return self._finish(kernel, swapper, Ttbr(reserved), tcr, free)

    def _map_linear(self, swapper: int, allocate: Iterator[int]) -> None:
        for part, first, _ in self.parts:
            if part == "hole":
                continue
            level, entries, contiguous = _sizes(self.geometry, part)
            self.builder.map(
                swapper,
                self.bits,
                KERNEL_PAGE + first,
                first,
                RO if part == "text" else RW,
                allocate=allocate,
                level=level,
                count=entries,
                contiguous=contiguous,
                invalid_as=PTE_PRESENT_INVALID if part == "invalid" else None,
            )

    def _map_image(self, swapper: int, text: int, data: int, allocate: Iterator[int]) -> None:
        """Text as a block, then data and swapper_pg_dir as pages."""
        self.builder.map(swapper, self.bits, self.image, text, ROX, allocate=allocate, level=2)
        self.image_data = self.image + self.geometry.pages(2)
        self.builder.map(swapper, self.bits, self.image_data, data, RW, allocate=allocate, count=2)

    def _kernel(
        self,
        *,
        swapper: int,
        free: int,
        data: int,
        text: int,
        reserved: int,
        idmap: Ttbr,
        tcr: Tcr,
        idmap_tcr: Tcr,
    ) -> Kernel:
        geometry, words = self.geometry, self.geometry.page_words
        root_level = geometry.start_level(self.bits)
        kernel_first, kernel_count = self._alias()
        variable = self.image_data * words
        return Kernel(
            num_online_cpus=self.cpus,
            entries=geometry.entries,
            page_words=words,
            root_level=root_level,
            level_pages=tuple(geometry.pages(n) for n in range(root_level, LEAF_LEVEL + 1)),
            cont_pmds=geometry.group(2),
            cont_ptes=geometry.group(3),
            swapper_pg_dir=swapper,
            free_tables=free,
            free_table_count=self._tables_needed(),
            lm_first=KERNEL_PAGE,
            lm_count=self.lm_pages,
            kernel_first=KERNEL_PAGE + kernel_first,
            kernel_count=kernel_count,
            max_dvm_ops=self.lm_pages + 1 if self.flush_by_page else 0,
            flag=variable,
            flag_idmap=data * words,
            **{name: variable + 1 + n for n, name in enumerate(VARIABLES)},
            text=self.image,
            idmap_text=text + 1,
            reserved_pg_dir=reserved,
            idmap_ttbr0=idmap,
            tcr=tcr,
            idmap_tcr=idmap_tcr,
        )

    def _finish(self, kernel: Kernel, swapper: int, reserved: Ttbr, tcr: Tcr, free: int) -> Layout:
        geometry, words = self.geometry, self.geometry.page_words
        names = dict(self.builder.names)
        contents = self.builder.contents()
        empty = next(t for a, t in contents.items() if a == reserved.baddr)
        for n in range(self._tables_needed()):
            contents[free + n * geometry.entries] = empty
            names[free + n * geometry.entries] = f"new{n}"
        aliases = {kernel.linear(a): n for a, n in names.items() if a < self.lm_pages * words}
        tables = names | aliases | {kernel.swapper_pg_dir: "pgd"}
        variables = {
            kernel.flag: "flag",
            **{getattr(kernel, n): n.removeprefix("msdata_") for n in VARIABLES},
        }
        physical = kernel.flag_idmap
        variables |= {physical + a - kernel.flag: n for a, n in variables.items()}
        lm = [(KERNEL_PAGE + p, n) for part, p, n in self.parts if part not in UNMAPPED]
        image = (kernel.text, geometry.pages(2)), (self.image_data, 2)
        return Layout(
            kernel=kernel,
            tables=contents,
            symbols=variables | tables,
            table_names=frozenset(tables),
            regions=(
                *self._named_parts(),
                Region(kernel.text, geometry.pages(2), "text"),
                Region(self.image_data, 2, "data"),
                Region(kernel.idmap_text, 1, "idmap.text"),
            ),
            regime=Regime((reserved,), (Ttbr(swapper),), (tcr,)),
            swapper=swapper,
            mapped=(*lm, *image),
            repainted=tuple(self._repainted()),
            data=self._left_on_stack(kernel),
            counters=self._counters(kernel),
            leaves=tuple(KERNEL_PAGE + first for _, first, _ in self.parts),
        )

    def _repainted(self) -> Iterator[tuple[int, int]]:
        """What has to consist of pages in the end: all but the kernel's alias."""
        for part, first, pages in self.parts:
            half = pages // 2
            yield from {
                "text": (),
                "head": ((KERNEL_PAGE + first, half),),
                "tail": ((KERNEL_PAGE + first + half, half),),
            }.get(part, ((KERNEL_PAGE + first, pages),))

    def _named_parts(self) -> Iterator[Region]:
        """The linear map's parts by name; the second of its kind is `lm.pmd2`."""
        seen = collections.Counter[str]()
        for part, first, pages in self.parts:
            seen[part] += 1
            number = str(seen[part]) if seen[part] > 1 else ""
            yield Region(KERNEL_PAGE + first, pages, f"lm.{part}{number}")

    def _left_on_stack(self, kernel: Kernel) -> dict[int, int]:
        """What is where stop_machine() will put its msdata: another's state, and no counts.

        A stack holds anything (apply_alternatives_all(), just before, has called stop_machine() as
        well). Who takes this EXIT for its own leaves before it has begun.
        """
        state = kernel.msdata_state - kernel.flag + kernel.flag_idmap
        return {state: int(MultiStop.EXIT)}

    def _counters(self, kernel: Kernel) -> dict[int, Counter]:
        """The flag, and stop_machine()'s counts; a state of msdata is announced by the last ack."""
        at = kernel.flag_idmap - kernel.flag
        return {
            kernel.flag + at: Counter("flag"),
            kernel.msdata_thread_ack + at: Counter(
                "thread_ack", announces=kernel.msdata_state + at
            ),
            kernel.stop_done + at: Counter("stop_done"),
            kernel.works_taken + at: Counter("works_taken"),
            kernel.stop_work + at: Counter("stop_work", calls=kernel.works_taken + at),
            kernel.scratch + at: Counter("scratch"),
        }

    def _tables_needed(self) -> int:
        """Tables that a repaint allocates."""
        needed = 0
        for part, _, pages in self.parts:
            if part in ("pud", "contpmd", "pmd", "head", "tail", "far", "invalid"):
                needed += pages // self.geometry.pages(2) + (part == "pud")
        return needed
