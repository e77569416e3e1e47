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
    all_ptes_at_end,
    context_restored,
    cpu_set,
    hardware_for,
    no_fault_on_live_map,
    no_size_change_seen,
    no_stale_translation,
    no_tlb_conflict,
    parked_amid_split,
    repeat_until,
    routine,
    scenario,
    tables_linked_once,
    terminates,
    translations_preserved,
)
from simbbm.linux import barrier, mmu, proc, stop_machine
from simbbm.linux.kernel import Kernel
from simbbm.linux.layout import LayoutName
from simbbm.linux.layout import layout as lay_out
from simbbm.linux.pgtable import fill_table, populate
from simbbm.linux.proc import count_parked, idmap_cpu_set_reserved_ttbr1
from simbbm.linux.split import Progress, pgd_pgtable_alloc_split, split_pmd, split_pud


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
    able = cpu_set(noabort, cpus)
    return Setup(
        geometry=sizes,
        cpus=tuple(
            CpuSetup(
                stopper if n else boot,
                at.regime,
                (at.kernel,),
                Features(bbm=2, noabort=n in able, ets2=ets2 == "yes"),
                pc=at.kernel.text,
                vbar=at.kernel.text,
            )
            for n in range(cpus)
        ),
        tables=at.tables,
        data=at.data,
        properties=(
            no_tlb_conflict,
            no_size_change_seen,
            no_fault_on_live_map(at.swapper, at.mapped),
            no_stale_translation,
            terminates,
            translations_preserved(at.regime, at.tables),
            all_ptes_at_end(at.regime, at.repainted),
            context_restored(at.regime),
            tables_linked_once(at.regime),
        ),
        hardware=hardware_for(hardware, tlb, window, event_stream),
        symbols=at.symbols,
        regions=at.regions,
        table_names=at.table_names,
        speculative=at.leaves,
        landmarks=parked_amid_split(sizes, at),
    )


@routine
async def split_on_boot_cpu_only(cpu: Cpu, k: Kernel) -> None:
    """As in v3 of the series: the others keep spinning in multi_cpu_stop()."""
    if await mmu.on_boot_cpu(cpu):
        await mmu.repaint(cpu, k)
        await mmu.flush_linear_map(cpu, k)


m01_only_boot_cpu_runs_fn = good.twin(
    "Only the boot CPU runs fn; the others spin in multi_cpu_stop(), swapper live (v3).",
    expect="VIOLATED:no_size_change_seen",
    replace={mmu.linear_map_split_to_ptes: split_on_boot_cpu_only},
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def first_to_arrive(cpu: Cpu, k: Kernel) -> bool:
    """Whoever takes the first ticket repaints."""
    return await cpu.ldaddal(k.scratch, 1) == 0


@routine
async def split_by_first_to_arrive(cpu: Cpu, k: Kernel) -> None:
    """The CPU 0 test became a race."""
    if await first_to_arrive(cpu, k):
        await mmu.boot_cpu_part(cpu, k)
    else:
        await mmu.secondary_part(cpu, k)


m02_first_to_arrive_splits = good.twin(
    "Whoever arrives first repaints, be it a CPU that may not (comment where it is tested).",
    expect="VIOLATED:no_size_change_seen",
    replace={mmu.linear_map_split_to_ptes: split_by_first_to_arrive},
    smallest={"cpus": 2, "layout": "pmd"},
)

m02_no_cpu0_test = good.twin(
    "Every CPU takes the boot CPU's part: nobody increments the flag (inferred).",
    expect="STUCK:terminates",
    replace={mmu.linear_map_split_to_ptes: mmu.boot_cpu_part},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def wait_for_one_less(cpu: Cpu, k: Kernel) -> None:
    """The initial 1 that stands for the boot CPU is forgotten in the target."""
    await barrier.smp_cond_load_acquire(cpu, k.flag, barrier.equals, k.num_online_cpus - 1)


m03_waits_for_one_less = good.twin(
    "The boot CPU waits for num_online_cpus() - 1: one is not parked yet (question on v5).",
    expect="VIOLATED:no_size_change_seen|STUCK:terminates",
    replace={mmu.wait_for_secondaries: wait_for_one_less},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def init_flag_to_zero(cpu: Cpu, k: Kernel) -> None:
    """The flag starts without the boot CPU's own 1."""
    await cpu.str(k.flag, 0)
    await cpu.dmb("ish")


m04_flag_starts_at_zero = good.twin(
    "The flag starts at 0: the boot CPU's target is never reached (comment on the flag).",
    expect="STUCK:terminates",
    replace={mmu.init_idmap_kpti_bbml2_flag: init_flag_to_zero},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def count_parked_early(cpu: Cpu, k: Kernel) -> None:
    """S8, at another place."""
    await repeat_until(proc.increment_flag, cpu, k.flag_idmap)


@routine
async def count_before_switch(cpu: Cpu, k: Kernel) -> None:
    """S8 before S7."""
    await count_parked_early(cpu, k)
    await idmap_cpu_set_reserved_ttbr1(cpu, k)


@routine
async def count_nothing(cpu: Cpu, k: Kernel) -> None:
    """S8 has moved elsewhere."""


m07_count_before_switch = good.twin(
    "A secondary says that it is parked before it leaves the swapper tables (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={idmap_cpu_set_reserved_ttbr1: count_before_switch, count_parked: count_nothing},
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def count_before_tlbi(cpu: Cpu, k: Kernel) -> None:
    """S7 with S8 in its middle."""
    await cpu.msr("ttbr1_el1", Ttbr(k.reserved_pg_dir))
    await cpu.isb()
    await count_parked_early(cpu, k)
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()


m08_count_before_tlbi = good.twin(
    "A secondary says that it is parked, its TLB still full of the swapper (inferred).",
    expect="VIOLATED:no_size_change_seen",
    replace={idmap_cpu_set_reserved_ttbr1: count_before_tlbi, count_parked: count_nothing},
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
async def increment_flag_plainly(cpu: Cpu, address: int) -> bool:
    """Load, add, store: an increment may be lost."""
    value = await cpu.ldr(address)
    await cpu.str(address, value + 1)
    return True


m14_plain_increment = good.twin(
    "The flag is incremented by a plain load and store: an increment is lost (inferred).",
    expect="STUCK:terminates",
    replace={proc.increment_flag: increment_flag_plainly},
    smallest={"cpus": 3, "layout": "pages"},
)


@routine
async def release_before_flush(cpu: Cpu, k: Kernel) -> None:
    """B5 before B4."""
    await mmu.wait_for_secondaries(cpu, k)
    await mmu.repaint(cpu, k)
    await mmu.release_secondaries(cpu, k)
    await mmu.flush_linear_map(cpu, k)


m16_release_before_flush = good.twin(
    "Released before the TLB flush: harmless, their TLBs hold nothing of it (review of v4).",
    expect="HOLDS",
    replace={mmu.boot_cpu_part: release_before_flush},
)

m16_m21_release_unpublished = m16_release_before_flush.twin(
    "Released before the flush, no DSB on leaving lazy MMU mode: stores are late (review of v4).",
    expect="VIOLATED:no_size_change_seen",
    drop=["arch_leave_lazy_mmu_mode.dsb.ishst"],
    smallest={"cpus": 2, "layout": "pmd"},
)


@routine
async def split_pud_populate_first(
    cpu: Cpu, k: Kernel, address: int, pud: Descriptor, progress: Progress
) -> Progress:
    """The table is linked while it is still empty."""
    child, progress = pgd_pgtable_alloc_split(k, progress)
    await populate(cpu, address, child)
    await cpu.dsb("ishst")
    await fill_table(cpu, k, child, pud, k.pages(2))
    return progress


@routine
async def split_pmd_populate_first(
    cpu: Cpu, k: Kernel, address: int, pmd: Descriptor, progress: Progress
) -> Progress:
    """The table is linked while it is still empty."""
    child, progress = pgd_pgtable_alloc_split(k, progress)
    await populate(cpu, address, child)
    await cpu.dsb("ishst")
    await fill_table(cpu, k, child, pmd, k.pages(3))
    return progress


m20_populate_before_fill = good.twin(
    "A table is linked before it is filled: the boot CPU's own map faults (comment in split_pmd).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={split_pud: split_pud_populate_first, split_pmd: split_pmd_populate_first},
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
    drop=["restore_ttbr1.msr.ttbr1_el1"],
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def wait_through_kernel_mapping(cpu: Cpu, k: Kernel) -> None:
    """The wait loop reads the flag at its kernel address."""
    await cpu.sevl()
    await repeat_until(proc.wait_for_zero, cpu, k.flag)


m23_flag_by_kernel_address = good.twin(
    "The wait loop reads the flag at its kernel address, which is unmapped (comment in proc.S).",
    expect="VIOLATED:no_fault_on_live_map",
    replace={proc.wait_until_released: wait_through_kernel_mapping},
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def wait_for_zero_plainly(cpu: Cpu, address: int) -> bool:
    """The load does not arm the monitor."""
    await cpu.wfe()
    value = await cpu.ldr(address)
    return bool(value == 0)


m29_plain_load_in_wait = good.twin(
    "The wait loop loads without LDXR: no event when the flag changes (inferred).",
    expect="STUCK:terminates",
    replace={proc.wait_for_zero: wait_for_zero_plainly},
    smallest={"cpus": 2, "layout": "pages"},
)

m30_no_sevl = good.twin(
    "No SEVL before the wait loop: the first WFE may sleep through the release (inferred).",
    expect="STUCK:terminates",
    drop=["wait_until_released.sevl"],
    smallest={"cpus": 2, "layout": "pages"},
)


@routine
async def split_pmd_with_sleeping_allocation(
    cpu: Cpu, k: Kernel, address: int, pmd: Descriptor, progress: Progress
) -> Progress:
    """The table is allocated with GFP_KERNEL."""
    await cpu.might_sleep()
    return await split_pmd(cpu, k, address, pmd, progress)


m38_sleeping_allocation = good.twin(
    "A table is allocated with GFP_KERNEL inside fn, where interrupts are off (v3 of the series).",
    expect="VIOLATED:no_sleep_in_atomic",
    replace={split_pmd: split_pmd_with_sleeping_allocation},
    smallest={"cpus": 2, "layout": "pmd"},
)
