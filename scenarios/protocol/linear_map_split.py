"""arm64 Linux repaints its linear map from blocks to pages on a mixed machine (v6.18).

The boot CPU may do so live (BBML2_NOABORT), the others must not see it. Twins: by the catalogue.
"""

from typing import Annotated, Literal

from simbbm import (
    GEOMETRIES,
    Cpu,
    CpuSet,
    CpuSetup,
    Descriptor,
    Features,
    Range,
    Setup,
    Ttbr,
    cpu_numbers,
    cpu_set,
    hardware_for,
    parked_amid_split,
    repeat_until,
    routine,
    scenario,
    split_properties,
)
from simbbm.linux import barrier, mmu, mmu_context, proc, stop_machine, tlbflush
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.mmu import SplitState, pgd_pgtable_alloc_init_mm_gfp, split_pmd, split_pud
from simbbm.linux.pgtable import __pmd_populate, __pud_populate


async def boot(cpu: Cpu, k: Kernel) -> None:
    """CPU 0, from setup_system_features() on."""
    await stop_machine.stoppers_idle(cpu, k)
    await mmu.linear_map_maybe_split_to_ptes(cpu, k)


async def stopper(cpu: Cpu, k: Kernel) -> None:
    """Any other CPU: idle until stop_machine() queues work."""
    await stop_machine.cpu_stopper_thread(cpu, k, mmu.linear_map_split_to_ptes)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(2, 16)] = 3,
    layout: LayoutName = "mixed",
    geometry: Literal["scaled", "scaled4", "4k", "16k", "64k"] = "scaled",
    noabort: Annotated[str, CpuSet()] = "boot",
    ets2: Literal["no", "yes"] = "no",
    flush: Literal["all", "pages"] = "all",
    image: Literal["low", "high"] = "low",
    hardware: Literal["delayed", "eager"] = "delayed",
    tlb: Literal["closure", "concrete"] = "closure",
    window: Annotated[int, Range(1, 16)] = 1,
    event_stream: Literal["no", "yes"] = "no",
) -> Setup:
    """The merged protocol: no secondary can see a size change, nobody faults, everybody resumes."""
    sizes = GEOMETRIES[geometry]
    at = lay_out(layout, sizes, cpus, flush_by_page=flush == "pages", high=image == "high")
    able, k = cpu_set(noabort, cpus), at.kernel
    features = [Features(bbm=2, noabort=n in able, ets2=ets2 == "yes") for n in cpu_numbers(cpus)]
    return Setup(
        geometry=sizes,
        cpus=tuple(
            CpuSetup(stopper if n else boot, at.regime, (k,), own, pc=k.text, vbar=k.text)
            for n, own in enumerate(features)
        ),
        tables=at.tables,
        data=at.data,
        counters=at.counters,
        properties=split_properties(at.regime, at.tables, at.swapper, at.mapped, at.repainted),
        hardware=hardware_for(hardware, tlb, window, event_stream),
        symbols=at.symbols,
        regions=at.regions,
        table_names=at.table_names,
        speculative=at.leaves,
        landmarks=parked_amid_split(sizes, at),
    )


@routine
async def repaint(cpu: Cpu, k: Kernel) -> None:
    """B3 and B4, for twins that decide otherwise who does it."""
    lend = k.lm_first + k.lm_count
    state = await mmu.range_split_to_ptes(cpu, k, k.lm_first, k.kernel_first, SplitState())
    await mmu.range_split_to_ptes(cpu, k, k.kernel_first + k.kernel_count, lend, state)
    await tlbflush.flush_tlb_kernel_range(cpu, k, k.lm_first, lend)


@routine
async def split_on_boot_cpu_only(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_split_to_ptes in v3: the others go back and spin in multi_cpu_stop()."""
    if await mmu.smp_processor_id_is(cpu, 0):
        await repaint(cpu, k)


m01_only_boot_cpu_runs_fn = good.twin(
    "Only the boot CPU runs fn; the others spin in multi_cpu_stop(), swapper live (v3).",
    expect="VIOLATED:no_size_change_seen",
    replace={mmu.linear_map_split_to_ptes: split_on_boot_cpu_only},
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def first_to_arrive(cpu: Cpu, k: Kernel) -> bool:
    """Whether this CPU has the first ticket; a routine for the reason of smp_processor_id_is."""
    return await cpu.ldaddal(k.scratch, 1) == 0


@routine
async def split_by_first_to_arrive(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:linear_map_split_to_ptes, its test for CPU 0 a race for the first ticket."""
    if await first_to_arrive(cpu, k):
        await barrier.smp_cond_load_acquire(cpu, k.flag, barrier.equals, k.num_online_cpus)
        await repaint(cpu, k)
        await cpu.str(k.flag, 0)
    else:
        await mmu_context.cpu_install_idmap(cpu, k)
        await proc.wait_linear_map_split_to_ptes(cpu, k)
        await mmu_context.cpu_uninstall_idmap(cpu, k)


m02_first_to_arrive_splits = good.twin(
    "Whoever arrives first repaints, be it a CPU that may not (comment where it is tested).",
    expect="VIOLATED:no_size_change_seen",
    replace={mmu.linear_map_split_to_ptes: split_by_first_to_arrive},
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def always(cpu: Cpu, _: int) -> bool:  # noqa: ARG001 - as what it replaces
    """In place of a routine that says whether something is so, or is done."""
    return True


m02_no_cpu0_test = good.twin(
    "Every CPU takes the boot CPU's part: nobody increments the flag (inferred).",
    expect="STUCK:terminates",
    replace={mmu.smp_processor_id_is: always},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def wait_for_one_less(cpu: Cpu, flag: int, is_it: barrier.Predicate, wanted: int) -> None:
    """The initial 1 that stands for the boot CPU is forgotten in the target."""
    await barrier.smp_cond_load_acquire(cpu, flag, is_it, wanted - 1)


m03_waits_for_one_less = good.twin(
    "The boot CPU waits for num_online_cpus() - 1: one is not parked yet (question on v5).",
    expect="VIOLATED:no_size_change_seen|STUCK:terminates",
    replace={"linear_map_split_to_ptes/smp_cond_load_acquire": wait_for_one_less},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def init_flag_to_zero(cpu: Cpu, k: Kernel) -> None:
    """mmu.c:init_idmap_kpti_bbml2_flag without the boot CPU's own 1."""
    await cpu.str(k.flag, 0)
    await cpu.dmb("ish")


m04_flag_starts_at_zero = good.twin(
    "The flag starts at 0: the boot CPU's target is never reached (comment on the flag).",
    expect="STUCK:terminates",
    replace={mmu.init_idmap_kpti_bbml2_flag: init_flag_to_zero},
    smallest={"cpus": 2, "layout": "pages"},
)


S8_ELSEWHERE = {"scondary_cpu_wait/increment_flag": always}


@routine
async def count_before_switch(cpu: Cpu, k: Kernel) -> None:
    """S8 before S7."""
    await repeat_until(proc.increment_flag, cpu, k.flag_idmap)
    await proc.idmap_cpu_set_reserved_ttbr1(cpu, k)


m07_count_before_switch = good.twin(
    "A secondary says that it is parked before it leaves the swapper tables (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={proc.idmap_cpu_set_reserved_ttbr1: count_before_switch} | S8_ELSEWHERE,
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def count_before_tlbi(cpu: Cpu, k: Kernel) -> None:
    """S7 with S8 in its middle."""
    await cpu.msr("ttbr1_el1", Ttbr(k.reserved_pg_dir))
    await cpu.isb()
    await repeat_until(proc.increment_flag, cpu, k.flag_idmap)
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()


m08_count_before_tlbi = good.twin(
    "A secondary says that it is parked, its TLB still full of the swapper (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={proc.idmap_cpu_set_reserved_ttbr1: count_before_tlbi} | S8_ELSEWHERE,
    smallest={"cpus": 2, "layout": "pmd"},
)

m09_no_tlbi = good.twin(
    "No TLBI after the switch: cached table entries of the swapper let walks go on (inferred).",
    expect="VIOLATED:no_size_change_seen",
    drop=["idmap_cpu_set_reserved_ttbr1.tlbi.vmalle1"],
    smallest={"cpus": 2, "layout": "pmd"},
)

m10_no_dsb_after_tlbi = good.twin(
    "No DSB after the TLBI: it may complete after the secondary has been counted (inferred).",
    expect="VIOLATED:no_size_change_seen",
    drop=["idmap_cpu_set_reserved_ttbr1.dsb.nsh"],
    smallest={"cpus": 2, "layout": "pmd"},
)

m11_no_isb_before_tlbi = good.twin(
    "No ISB between the TTBR1 write and the TLBI: a walk may refill from the old table (inferred).",
    expect="VIOLATED:no_size_change_seen",
    drop=["idmap_cpu_set_reserved_ttbr1.isb#1"],
    smallest={"cpus": 2, "layout": "pmd"},
)

m12_ttbr1_not_switched = good.twin(
    "TTBR1 keeps the swapper tables; only the idmap is installed (inferred).",
    expect="VIOLATED:no_size_change_seen",
    drop=["idmap_cpu_set_reserved_ttbr1.msr.ttbr1_el1"],
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def increment_flag_plainly(cpu: Cpu, flag_ptr: int) -> bool:
    """Load, add, store: an increment may be lost."""
    await cpu.str(flag_ptr, await cpu.ldr(flag_ptr) + 1)
    return True


m14_plain_increment = good.twin(
    "The flag is incremented by a plain load and store: an increment is lost (inferred).",
    expect="STUCK:terminates",
    replace={proc.increment_flag: increment_flag_plainly},
    smallest={"cpus": 3, "layout": "pages"},
)


@routine
async def release_and_flush(cpu: Cpu, k: Kernel, start: int, end: int) -> None:
    """B5 before B4."""
    await cpu.str(k.flag, 0)
    await tlbflush.flush_tlb_kernel_range(cpu, k, start, end)


m16_release_before_flush = good.twin(
    "Released before the TLB flush: harmless, their TLBs hold nothing of it (review of v4).",
    expect="HOLDS",
    replace={"linear_map_split_to_ptes/flush_tlb_kernel_range": release_and_flush},
    drop=["linear_map_split_to_ptes.str"],
)

m16_m21_release_unpublished = m16_release_before_flush.twin(
    "Released before the flush, no DSB on leaving lazy MMU mode: stores are late (review of v4).",
    expect="VIOLATED:no_size_change_seen",
    drop=["arch_leave_lazy_mmu_mode.dsb.ishst"],
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def link_and_split_pud(
    cpu: Cpu, k: Kernel, pudp: int, pud: Descriptor, state: SplitState
) -> SplitState:
    """The table is linked while it is still empty."""
    pmd_phys, _ = await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)
    await __pud_populate(cpu, pudp, pmd_phys)
    return await split_pud(cpu, k, pudp, pud, state)


@routine
async def link_and_split_pmd(
    cpu: Cpu, k: Kernel, pmdp: int, pmd: Descriptor, state: SplitState
) -> SplitState:
    """The table is linked while it is still empty."""
    pte_phys, _ = await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)
    await __pmd_populate(cpu, pmdp, pte_phys)
    return await split_pmd(cpu, k, pmdp, pmd, state)


m20_populate_before_fill = good.twin(
    "A table is linked before it is filled: the boot CPU's own map faults (comment in split_pmd).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={split_pud: link_and_split_pud, split_pmd: link_and_split_pmd},
    smallest={"cpus": 2, "layout": "pmd"},
)

m20_no_dsb_before_populate = good.twin(
    "No DSB between filling a table and linking it: linked first, perhaps (comment in split_pmd).",
    expect="VIOLATED:no_fault_on_live_map",
    drop=["split_pud.dsb.ishst", "split_pmd.dsb.ishst"],
    smallest={"cpus": 2, "layout": "pmd"},
)

m21_stores_unpublished = good.twin(
    "Neither lazy MMU mode nor the flush has a DSB: stores come after the release (review of v4).",
    expect="VIOLATED:no_size_change_seen",
    drop=["arch_leave_lazy_mmu_mode.dsb.ishst", "flush_tlb_all.dsb.ishst", "flush_tlb_all.dsb.ish"],
    smallest={"cpus": 2, "layout": "pmd"},
)

m22_ttbr1_not_restored = good.twin(
    "A secondary returns without its TTBR1: kernel text and stack are not mapped (inferred).",
    expect="VIOLATED:no_fault_on_live_map",
    drop=["scondary_cpu_wait.msr.ttbr1_el1"],
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def scondary_cpu_wait_at_kernel_address(cpu: Cpu, k: Kernel, swapper_ttb: Ttbr) -> None:
    """The wait loop reads the flag at its kernel address."""
    await repeat_until(proc.increment_flag, cpu, k.flag_idmap)
    await cpu.sevl()
    await repeat_until(proc.wait_for_zero, cpu, k.flag)
    await cpu.msr("ttbr1_el1", swapper_ttb)
    await cpu.isb()


m23_flag_by_kernel_address = good.twin(
    "The wait loop reads the flag at its kernel address, which is unmapped (comment in proc.S).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={proc.scondary_cpu_wait: scondary_cpu_wait_at_kernel_address},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def wait_for_zero_plainly(cpu: Cpu, flag_ptr: int) -> bool:
    """The load does not arm the monitor."""
    await cpu.wfe()
    return bool(await cpu.ldr(flag_ptr) == 0)


m29_plain_load_in_wait = good.twin(
    "The wait loop loads without LDXR: no event when the flag changes (inferred).",
    expect="STUCK:terminates",
    replace={proc.wait_for_zero: wait_for_zero_plainly},
    smallest={"cpus": 2, "layout": "pages"},
)

m30_no_sevl = good.twin(
    "No SEVL before the wait loop: the first WFE may sleep through the release (inferred).",
    expect="STUCK:terminates",
    drop=["scondary_cpu_wait.sevl"],
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def alloc_with_gfp_kernel(cpu: Cpu, k: Kernel, state: SplitState) -> tuple[int, SplitState]:
    """The table is allocated with GFP_KERNEL."""
    await cpu.might_sleep()
    return await pgd_pgtable_alloc_init_mm_gfp(cpu, k, state)


m38_sleeping_allocation = good.twin(
    "A table is allocated with GFP_KERNEL inside fn, where interrupts are off (v3 of the series).",
    expect="VIOLATED:no_sleep_in_atomic",
    replace={pgd_pgtable_alloc_init_mm_gfp: alloc_with_gfp_kernel},
    smallest={"cpus": 2, "layout": "pmd"},
)
