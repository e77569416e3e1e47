"""ASIDs run out while another CPU switches: who keeps one, who flushes, and when.

Asked: is it enough that each CPU flushes its own TLB at its next switch when a generation of ASIDs
begins (mm/context.c), with no broadcast, and with a fast path that takes no lock? All ASIDs are
taken. CPU 1 switches to an address space that has none yet: a generation begins. CPU 0 switches
meanwhile, first to an address space that has an ASID of the old generation, then to the new one. In
the second scenario (`threads`) a thread runs on CPU 0 throughout, under a reserved ASID, and CPU 1
comes to another thread of the same process, and unmaps a page.

Found: yes. Rollover exchanges each CPU's `active_asids` for 0, which the fast path notices, since
it compares and exchanges: either the CPU is seen to run what it is about to run, and that ASID is
reserved, or it takes the lock and flushes. Each part is needed: the test for 0
(`zero_not_looked_at`), the exchange on either side (`stored_plainly`, `read_before_cleared`), the
flush (`not_flushed`), for every CPU (`flushed_by_who_rolls_over`), and before the new ASID is used
(`flushed_afterwards`); what runs has to be reserved (`running_not_reserved`), also where it has not
switched since the last rollover (`reserved_once`), and its address space has to keep that ASID
(`reserved_forgotten`).
"""

from __future__ import annotations

from itertools import count
from typing import Annotated, Literal

from simbbm import (
    KERNEL_PAGE,
    Aborted,
    Cpu,
    CpuSetup,
    Descriptor,
    Range,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    hardware_for,
    leaf,
    no_tlb_conflict,
    repeat_until,
    routine,
    scenario,
    terminates,
)
from simbbm.linux.hotplug import try_lock
from simbbm.linux.mmu_context import local_flush_tlb_all
from simbbm.linux.user.asid import (
    AsidKernel,
    asid2ctxid,
    asid_gen_match,
    check_and_switch_context,
    check_update_reserved_asid,
    cmpxchg_relaxed,
    ctxid2asid,
    flush_if_pending,
    reserve_active,
    switch_without_lock,
    xchg_relaxed,
)
from simbbm.linux.user.mm import DIRTY, GEOMETRY

RUNS, WAITS, NEW = range(3)
"""The address spaces: what runs on CPU 0, one that has an ASID too, and one that has none."""
GENERATION = 1
WORDS = GEOMETRY.page_words
USER_TABLES, KERNEL_TABLES, DATA = 8, 9, 10
"""Physical pages; below them each address space has a page of its own."""
UNMAPPED = 9
"""What is written to a page once nobody maps it."""


def asid_kernel(cpus: int, asids: int) -> tuple[AsidKernel, dict[int, int], dict[int, str]]:
    """The kernel's words, what is in them, and their names, by physical address."""
    words = count((KERNEL_PAGE + 1) * WORDS)
    k = AsidKernel(
        cpu_asid_lock=next(words),
        asid_generation=next(words),
        asid_map=next(words),
        active_asids=tuple(next(words) for _ in range(cpus)),
        reserved_asids=tuple(next(words) for _ in range(cpus)),
        tlb_flush_pending=next(words),
        context_ids=tuple(next(words) for _ in range(3)),
        pgds=tuple(Ttbr(USER_TABLES * WORDS + mm * GEOMETRY.entries) for mm in range(3)),
        num_user_asids=asids,
        reserved_pg_dir=KERNEL_TABLES * WORDS + GEOMETRY.entries,
    )
    given = {k.asid_generation: GENERATION, k.asid_map: (1 << asids) - 1}
    runs, waits = asid2ctxid(1, GENERATION), asid2ctxid(asids - 1, GENERATION)
    given |= {k.context_ids[RUNS]: runs, k.active_asids[0]: runs, k.context_ids[WAITS]: waits}
    names = {k.cpu_asid_lock: "lock", k.asid_generation: "generation", k.asid_map: "asid_map"}
    names[k.tlb_flush_pending] = "tlb_flush_pending"
    for name in ("active_asids", "reserved_asids", "context_ids"):
        names |= {word: f"{name}[{n}]" for n, word in enumerate(getattr(k, name))}
    shift = (KERNEL_PAGE + 1) * WORDS - DATA * WORDS
    data = {word - shift: value for word, value in given.items()}
    return k, data, {at - by: name for at, name in names.items() for by in (0, shift)}


def with_asids(kind: str, asids: int, *programs: object) -> Setup:
    """CPUs with these programs, each with its number; the second has no user mm yet."""
    k, data, symbols = asid_kernel(len(programs), asids)
    empty = Descriptor()
    tables = {
        k.pgds[mm].baddr: (leaf(mm, DIRTY, not_global=True), empty, empty, empty) for mm in range(3)
    }
    kernel = KERNEL_TABLES * WORDS
    tables[kernel] = (leaf(USER_TABLES), leaf(DATA), leaf(RUNS), empty)
    tables[k.reserved_pg_dir] = (empty,) * 4
    names = {k.pgds[mm].baddr: f"pgd{mm}" for mm in range(3)}
    names |= {kernel: "kernel pte", k.reserved_pg_dir: "reserved_pg_dir"}
    tcr = Tcr(GEOMETRY.entry_bits, GEOMETRY.entry_bits)
    starts = Regime((k.pgds[RUNS],), (Ttbr(kernel, 1),), (tcr,))
    idle = Regime((Ttbr(k.reserved_pg_dir),), (Ttbr(kernel),), (tcr,))
    return Setup(
        geometry=GEOMETRY,
        cpus=tuple(
            CpuSetup(program, idle if n else starts, (k, n)) for n, program in enumerate(programs)
        ),
        tables=tables,
        properties=(no_tlb_conflict, terminates),
        data=data | {mm * WORDS: mm for mm in range(3)},
        hardware=hardware_for(kind),
        handler=unmapped,
        symbols=symbols | names,
        table_names=frozenset(names),
    )


async def unmapped(cpu: Cpu, aborted: Aborted) -> None:  # noqa: ARG001 - every handler gets it
    """fault.c:do_page_fault: SIGSEGV."""
    await cpu.eret(retry=False)


async def switches(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """CPU 0: to a task that has an ASID, and to the new one."""
    await check_and_switch_context(cpu, k, WAITS, number)
    await check_and_switch_context(cpu, k, NEW, number)


async def rolls_over(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """CPU 1: to a task that has none, when none is left."""
    await check_and_switch_context(cpu, k, NEW, number)


@scenario(evidence="proved")
def good(
    *,
    cpus: Annotated[int, Range(1, 2)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """ASIDs run out while another CPU switches: nobody holds two tasks' pages under one ASID."""
    return with_asids(hardware, 3, *(switches, rolls_over)[:cpus])


not_flushed = good.twin(
    "No flush after a rollover: an ASID is somebody else's by now, its old pages are still held "
    "(comment in flush_context).",
    expect="VIOLATED:no_tlb_conflict",
    drop=["flush_if_pending/local_flush_tlb_all.tlbi.vmalle1"],
    cpus=1,
)


@routine
async def flush_here_at_once(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """Who rolls over flushes; the others have done nothing wrong."""
    if await cpu.ldr(k.tlb_flush_pending) >> number & 1:
        await cpu.str(k.tlb_flush_pending, 0)
        await local_flush_tlb_all(cpu)


flushed_by_who_rolls_over = good.twin(
    "Who rolls over flushes its own TLB, and clears what is pending for all (inferred).",
    expect="VIOLATED:no_tlb_conflict",
    replace={flush_if_pending: flush_here_at_once},
)


@routine
async def no_flush(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """Not yet."""


@routine
async def switch_and_flush(cpu: Cpu, k: AsidKernel, mm: int, number: int) -> None:
    """The flush comes when the new address space is there."""
    await check_and_switch_context(cpu, k, mm, number)
    await flush_if_pending(cpu, k, number)


flushed_afterwards = good.twin(
    "The flush comes behind the switch: in between the new task's pages are next to the old ones "
    "(inferred).",
    expect="VIOLATED:no_tlb_conflict",
    replace={
        "switch_under_lock/flush_if_pending": no_flush,
        check_and_switch_context: switch_and_flush,
    },
    cpus=1,
)


@routine
async def zero_is_no_reason(cpu: Cpu, k: AsidKernel, mm: int, number: int) -> bool:
    """Only the generation is looked at."""
    context_id = await cpu.ldr(k.context_ids[mm])
    active = k.active_asids[number]
    old = await cpu.ldr(active)
    if not asid_gen_match(context_id, await cpu.ldr(k.asid_generation)):
        return False
    return bool(await cmpxchg_relaxed(cpu, active, old, context_id) == old)


zero_not_looked_at = good.twin(
    "The fast path does not look whether active_asids is 0: it misses the flush (comment in "
    "check_and_switch_context).",
    expect="VIOLATED:no_tlb_conflict",
    replace={switch_without_lock: zero_is_no_reason},
)


@routine
async def store_plainly(cpu: Cpu, address: int, old: int, new: int) -> int:
    """Load and store."""
    await cpu.str(address, new)
    return old


stored_plainly = good.twin(
    "The fast path stores what it runs, and does not compare: rollover has reserved what ran "
    "before (comment in check_and_switch_context).",
    expect="VIOLATED:no_tlb_conflict",
    replace={cmpxchg_relaxed: store_plainly},
)


@routine
async def read_and_clear(cpu: Cpu, address: int, value: int) -> int:
    """What was there a moment before."""
    old = await cpu.ldr(address)
    await xchg_relaxed(cpu, address, value)
    return int(old)


read_before_cleared = good.twin(
    "Rollover reads what a CPU runs and then clears it: what it switches to in between is lost "
    "(comment in check_and_switch_context).",
    expect="VIOLATED:no_tlb_conflict",
    replace={xchg_relaxed: read_and_clear},
)

# A thread runs on CPU 0 throughout, and never switches.


async def runs_on(cpu: Cpu, k: AsidKernel, number: int) -> None:  # noqa: ARG001 - as the others
    """CPU 0: a thread that uses its page all the while."""
    for _ in range(2):
        if await cpu.ldr(0) == UNMAPPED:
            await cpu.panic("a thread gets a page that is not mapped any more")


@routine
async def munmap(cpu: Cpu, k: AsidKernel, mm: int) -> None:
    """The page goes, all CPUs are flushed under the mm's ASID, and somebody else gets it."""
    await cpu.str(KERNEL_PAGE * WORDS + mm * GEOMETRY.entries, Descriptor())
    await cpu.dsb("ishst")
    await cpu.tlbi("vale1is", 0, ctxid2asid(await cpu.ldr(k.context_ids[mm])))
    await cpu.dsb("ish")
    await cpu.str((KERNEL_PAGE + 2) * WORDS, UNMAPPED)


async def unmaps(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """CPU 1: ASIDs run out; a task gets its old one again; then a thread of CPU 0's process."""
    await check_and_switch_context(cpu, k, NEW, number)
    await check_and_switch_context(cpu, k, WAITS, number)
    await check_and_switch_context(cpu, k, RUNS, number)
    await munmap(cpu, k, RUNS)


@scenario(evidence="proved")
def threads(
    *,
    rollovers: Annotated[int, Range(1, 2)] = 1,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A thread that runs through a rollover keeps its ASID, and so does its whole process."""
    return with_asids(hardware, 4, runs_on, unmaps if rollovers == 1 else unmaps_after_two)


@routine
async def roll_over_again(cpu: Cpu, k: AsidKernel) -> None:
    """Other processes have taken all ASIDs of this generation meanwhile."""
    await repeat_until(try_lock, cpu, k.cpu_asid_lock)
    await cpu.str(k.asid_map, (1 << k.num_user_asids) - 1)
    await cpu.stlr(k.cpu_asid_lock, 0)


async def unmaps_after_two(cpu: Cpu, k: AsidKernel, number: int) -> None:
    """CPU 1: ASIDs run out twice while CPU 0 does not switch."""
    await check_and_switch_context(cpu, k, NEW, number)
    await roll_over_again(cpu, k)
    await check_and_switch_context(cpu, k, WAITS, number)
    await check_and_switch_context(cpu, k, RUNS, number)
    await munmap(cpu, k, RUNS)


@routine
async def not_reserved(cpu: Cpu, k: AsidKernel, context_id: int, new: int) -> bool:  # noqa: ARG001
    """Nobody was running."""
    return False


reserved_forgotten = threads.twin(
    "An address space that ran through the rollover gets another ASID: its running thread is not "
    "met by its flushes (comment in new_context).",
    expect="VIOLATED:no_panic",
    replace={check_update_reserved_asid: not_reserved},
)


@routine
async def reserve_nothing(cpu: Cpu, k: AsidKernel, number: int) -> int:
    """What runs is not looked at."""
    await xchg_relaxed(cpu, k.active_asids[number], 0)
    return 0


running_not_reserved = threads.twin(
    "Rollover does not reserve what runs: the new task gets the ASID of a running one (comment in "
    "flush_context).",
    expect="VIOLATED:no_panic",
    replace={reserve_active: reserve_nothing},
)

two_rollovers = threads.twin(
    "Two rollovers while one CPU does not switch: its task keeps its ASID.",
    expect="HOLDS",
    rollovers=2,
)


@routine
async def reserve_active_alone(cpu: Cpu, k: AsidKernel, number: int) -> int:
    """0 stands for nothing."""
    context_id = await xchg_relaxed(cpu, k.active_asids[number], 0)
    await cpu.str(k.reserved_asids[number], context_id)
    return context_id


reserved_once = two_rollovers.twin(
    "The second rollover finds 0 on a CPU that has not switched since the first, and reserves "
    "nothing (comment in flush_context).",
    expect="VIOLATED:no_panic",
    replace={reserve_active: reserve_active_alone},
)
