"""`Kernel`: the addresses and constants that the modelled functions find in globals.

Kernels that know more (a running one, a realm's) are frozen dataclasses that inherit from it: what
takes a `Kernel` takes any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.registers import Tcr, Ttbr

K = TypeVar("K", bound="Kernel")


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Addresses are virtual word addresses, pages virtual pages, unless they say `phys`."""

    num_online_cpus: int
    entries: int
    page_words: int
    root_level: int
    """Level of swapper_pg_dir's entries."""
    level_pages: tuple[int, ...]
    """Pages that one entry maps, by level, from `root_level` on."""
    cont_pmds: int
    cont_ptes: int

    swapper_pg_dir: int
    """swapper_pg_dir through the kernel image's mapping."""
    free_tables: int
    """Physical address of the first page that the allocator hands out as a table."""
    free_table_count: int
    """How many there are."""
    lm_first: int
    lm_count: int
    """The linear map, in pages."""
    kernel_first: int
    kernel_count: int
    """The linear alias of [_stext, __init_begin), which stays mapped with large blocks."""
    max_dvm_ops: int
    """Pages from which on flush_tlb_kernel_range flushes everything (MAX_DVM_OPS)."""

    flag: int
    """idmap_kpti_bbml2_flag, a plain u32 in .bss."""
    flag_idmap: int
    """The same word through the idmap."""
    msdata_fn: int
    """struct multi_stop_data, on the stack of who calls stop_machine(): its first word."""
    msdata_num_threads: int
    msdata_state: int
    msdata_thread_ack: int
    """The other half of the dword that has the state; here each is a word (`stop_machine`)."""
    work_arg: int
    """struct cpu_stop_work: what the stoppers give multi_cpu_stop(). All works have the same."""
    stop_work: int
    """How many works have been queued, under the stoppers' locks."""
    works_taken: int
    """How many CPUs know which of the works is theirs."""
    stop_done: int
    """struct cpu_stop_done: how many works are left to do."""
    stack: int
    scratch: int
    """A free word in .bss, for variants of the protocol."""
    text: int
    """Page of kernel text."""
    idmap_text: int
    """Page of .idmap.text at its physical address: what __pa_symbol() of the wait routine gives."""

    reserved_pg_dir: int
    """Physical address, as it goes into a TTBR."""
    idmap_ttbr0: Ttbr
    tcr: Tcr
    """TCR_EL1 with the T0SZ that the kernel runs with."""
    idmap_tcr: Tcr
    """TCR_EL1 with the T0SZ that the idmap needs."""
    init_mm_asid: int = 0

    def linear(self, physical: int) -> int:
        """phys_to_virt(): the linear map's alias of a physical word address."""
        return KERNEL_PAGE * self.page_words + physical

    def pages(self, level: int) -> int:
        """Pages that one entry at `level` maps."""
        return self.level_pages[level - self.root_level]

    def _replace(self, **changes: Any) -> Self:
        """The same kernel with some fields changed."""
        return replace(self, **changes)


def extended(kernel: Kernel, kind: type[K], **more: Any) -> K:
    """The same kernel as one that knows more: of a class that inherits from it."""
    return kind(**vars(kernel), **more)
