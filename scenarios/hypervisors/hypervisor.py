"""A hypervisor changes stage 2 while a guest runs: break-before-make, without the guest's help.

The host, at EL2 on CPU 0, moves a page of a guest to another page of memory, and gives the old one
to somebody else (page migration, copy-on-write of the host's page, KSM), or cuts a block of stage 2
into pages (dirty logging). All other CPUs run vCPUs of the guest. They use the page meanwhile, take
faults of stage 2 to EL2, wait there until the page is back, and go on. What they have written must
not be lost, and they must not see what the new owner writes.

KVM's sequence (hyp/nvhe/tlb.c:__kvm_tlb_flush_vmid_ipa) is `tlbi ipas2e1is; dsb ish; tlbi
vmalle1is; dsb ish; isb`: the host knows no virtual address, and entries that combine both stages
match no IPA. The DSB in the middle is needed, too: else the TLBI of stage 1 may act first, and a
walk makes the combined entry once more from what is still held of stage 2.

Simplified: the guest's pages are mapped at stage 1 by blocks, to the same numbers; the host's lock
is the descriptor itself (kvm_handle_guest_abort() retries until it is valid).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    PERMISSION,
    RO,
    SCALED,
    Aborted,
    Cpu,
    CpuSet,
    CpuSetup,
    Descriptor,
    Features,
    Range,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    Vttbr,
    cpu_set,
    hardware_for,
    leaf,
    no_size_change_seen,
    no_tlb_conflict,
    routine,
    scenario,
    table,
    terminates,
)

WORDS = SCALED.page_words
OLD, NEW, TABLES = 0, 4, 2
"""Pages of memory: the guest's page, where it goes, and all tables."""
STAGE1, STAGE2, PTES = (TABLES * WORDS + 2 * n for n in range(3))
"""Tables: the guest's root, that of stage 2, and one of pages below it."""
ENTRY = PTES
"""The descriptor of stage 2 that maps the page."""
VMID = 1
REGIME = Regime(
    (Ttbr(0),), (Ttbr(STAGE1),), (Tcr(0, 2, epd0=True),), (Vttbr(STAGE2, VMID, bits=2),)
)
TABLES_AT_START = {
    STAGE1: (leaf(0), leaf(2)),
    STAGE2: (table(PTES), leaf(2)),
    PTES: (leaf(OLD), leaf(OLD + 1)),
}
POISON = 9
"""What the new owner of the old page writes."""


class Vm(NamedTuple):
    """What the guest's programs know: the first word of each vCPU, by its virtual address."""

    word: int = KERNEL_PAGE * WORDS


NAMES = {
    STAGE1: "stage1",
    STAGE2: "stage2",
    PTES: "stage2_ptes",
    Vm().word: "guest_page",
    OLD * WORDS: "old_page",
    NEW * WORDS: "new_page",
}


def is_mapped(entry: Descriptor) -> bool:
    """Whether stage 2 maps the page."""
    return entry.valid


def is_writable(entry: Descriptor) -> bool:
    """Whether stage 2 maps the page for writing."""
    return entry.valid and entry.attributes.write


# The host


@routine
async def kvm_tlb_flush_vmid_ipa(cpu: Cpu, ipa: int) -> None:
    """hyp/nvhe/tlb.c:__kvm_tlb_flush_vmid_ipa, with the guest's VTTBR_EL2 loaded."""
    await cpu.tlbi("ipas2e1is", ipa)
    await cpu.dsb("ish")
    await cpu.tlbi("vmalle1is")
    await cpu.dsb("ish")
    await cpu.isb()


@routine
async def stage2_try_break_pte(cpu: Cpu, entry: int, ipa: int) -> None:
    """hyp/pgtable.c:stage2_try_break_pte: nobody maps the page from here on."""
    await cpu.str(entry, INVALID_DESCRIPTOR)
    await cpu.dsb("ishst")
    await kvm_tlb_flush_vmid_ipa(cpu, ipa)


@routine
async def stage2_make_pte(cpu: Cpu, entry: int, descriptor: Descriptor) -> None:
    """hyp/pgtable.c:stage2_make_pte."""
    await cpu.stlr(entry, descriptor)


@routine
async def copy_page(cpu: Cpu, vcpus: int) -> None:
    """The words of all vCPUs go to the new page."""
    for vcpu in range(1, vcpus):
        await cpu.str(NEW * WORDS + vcpu, await cpu.ldr(OLD * WORDS + vcpu))


@routine
async def free_page(cpu: Cpu, vcpus: int) -> None:
    """The old page gets another owner, who writes to it."""
    for vcpu in range(1, vcpus):
        await cpu.str(OLD * WORDS + vcpu, POISON)


async def migrate(cpu: Cpu, cpus: int) -> None:
    """The host: moves the page."""
    await stage2_try_break_pte(cpu, ENTRY, OLD)
    await copy_page(cpu, cpus)
    await stage2_make_pte(cpu, ENTRY, leaf(NEW))
    await free_page(cpu, cpus)


# The guest, and what handles its faults


async def vcpu(cpu: Cpu, vm: Vm) -> None:
    """Every other CPU: what it has written to its word of the page is there."""
    word = vm.word + await cpu.mrs_mpidr()
    await cpu.str(word, 1)
    if await cpu.ldr(word) != 1:
        await cpu.panic("what a guest wrote to its page is lost")


async def kvm_handle_guest_abort(cpu: Cpu, aborted: Aborted) -> None:
    """kvm/mmu.c:kvm_handle_guest_abort: once the page is mapped, the guest tries again."""
    del aborted
    await cpu.wait(ENTRY, is_mapped)
    await cpu.eret(retry=True)


def setup(cpus: int, hardware: str) -> Setup:
    """A host that moves a page, and the guest's vCPUs."""
    host = CpuSetup(migrate, REGIME, args=(cpus,), el=2)
    guest = CpuSetup(vcpu, REGIME, args=(Vm(),))
    return Setup(
        geometry=SCALED,
        hardware=hardware_for(hardware),
        cpus=(host, *(guest,) * (cpus - 1)),
        tables=TABLES_AT_START,
        properties=(no_tlb_conflict, no_size_change_seen, terminates),
        hypervisor=kvm_handle_guest_abort,
        symbols=NAMES,
    )


@scenario(evidence="proved")
def moved(
    *,
    cpus: Annotated[int, Range(2, 4)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The host moves a page of a running guest: break, both TLBIs with a DSB behind each, make."""
    return setup(cpus, hardware)


FLUSH = "kvm_tlb_flush_vmid_ipa"
BOTH = "VIOLATED:no_tlb_conflict|VIOLATED:no_panic"
"""Two entries for one address are held, and the guest may use the stale one."""

no_ipas2 = moved.twin(
    "No TLBI by IPA: of what is held of stage 2, walks make combined entries again and again.",
    expect=BOTH,
    drop=[f"{FLUSH}.tlbi.ipas2e1is"],
)

no_vmalle1 = moved.twin(
    "No TLBI of stage 1 behind it: combined entries match no IPA, and stay.",
    expect=BOTH,
    drop=[f"{FLUSH}.tlbi.vmalle1is"],
)

no_dsb_between = moved.twin(
    "No DSB between the two: that of stage 1 may act first, and a walk makes the entry once more.",
    expect=BOTH,
    drop=[f"{FLUSH}.dsb.ish"],
)

swapped = moved.twin(
    "Both TLBIs in the other order, each with its DSB.",
    expect=BOTH,
    swap={f"{FLUSH}.tlbi.ipas2e1is": f"{FLUSH}.tlbi.vmalle1is"},
)

local = moved.twin(
    "The TLBI by IPA of the host's CPU alone, where the guest never runs.",
    expect=BOTH,
    weaken={f"{FLUSH}.tlbi.ipas2e1is": "tlbi.ipas2e1"},
)

unpublished = moved.twin(
    "No DSB between the store that breaks and the TLBIs: walks read the old descriptor after them.",
    expect=BOTH,
    drop=["stage2_try_break_pte.dsb.ishst"],
)


@routine
async def no_break(cpu: Cpu, entry: int, ipa: int) -> None:
    """The old mapping stays until the new one is written over it."""


no_bbm = moved.twin(
    "No break-before-make: the new page is written over the old one.",
    expect=BOTH,
    replace={stage2_try_break_pte: no_break},
)


# Copy-on-write: the guest's own fault changes stage 2, on its CPU.


@routine
async def user_mem_abort(cpu: Cpu, vcpus: int) -> None:
    """kvm/mmu.c:user_mem_abort, of a write to a page that the host shares: it gets a copy."""
    await stage2_try_break_pte(cpu, ENTRY, OLD)
    await copy_page(cpu, vcpus)
    await stage2_make_pte(cpu, ENTRY, leaf(NEW))
    await free_page(cpu, vcpus)


async def copy_on_write(cpu: Cpu, aborted: Aborted, vcpus: int) -> None:
    """The first vCPU copies the page when it writes to it; others wait until that is done."""
    if aborted.kind == PERMISSION and await cpu.mrs_mpidr() == 0:
        await user_mem_abort(cpu, vcpus)
    else:
        await cpu.wait(ENTRY, is_writable)
    await cpu.eret(retry=True)


@scenario(evidence="proved")
def copied(
    *,
    cpus: Annotated[int, Range(2, 4)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """A guest writes to a page that is read-only at stage 2, and the hypervisor copies it."""
    shared = TABLES_AT_START | {PTES: (leaf(OLD, RO), leaf(OLD + 1))}
    guest = CpuSetup(vcpu, REGIME, args=(Vm(),))
    return replace(
        setup(cpus, hardware),
        cpus=(guest,) * cpus,
        tables=shared,
        hypervisor=copy_on_write,
        handler_args=(cpus,),
    )


@routine
async def copy_in_place(cpu: Cpu, vcpus: int) -> None:
    """The copy is mapped first, and TLBIs come behind it."""
    await copy_page(cpu, vcpus)
    await stage2_make_pte(cpu, ENTRY, leaf(NEW))
    await cpu.dsb("ishst")
    await kvm_tlb_flush_vmid_ipa(cpu, OLD)
    await free_page(cpu, vcpus)


copied_in_place = copied.twin(
    "No break-before-make: the copy is written over the page that was read-only, then TLBIs.",
    expect="VIOLATED:no_tlb_conflict",
    replace={user_mem_abort: copy_in_place},
)

copied_no_vmalle1 = copied.twin(
    "No TLBI of stage 1: other vCPUs go on reading the page that has got a new owner.",
    expect="VIOLATED:no_tlb_conflict",
    drop=[f"{FLUSH}.tlbi.vmalle1is"],
)


# Another size: dirty logging cuts a block of stage 2 into pages.

BLOCK = TABLES_AT_START | {STAGE2: (leaf(0), leaf(2)), PTES: (INVALID_DESCRIPTOR,) * 2}


@routine
async def link_table(cpu: Cpu) -> None:
    """hyp/pgtable.c:stage2_split_walker: the pages map what the block did; break, and make."""
    await stage2_try_break_pte(cpu, STAGE2, OLD)
    await stage2_make_pte(cpu, STAGE2, table(PTES))


@routine
async def link_table_live(cpu: Cpu) -> None:
    """With FEAT_BBM level 2 or 3: make, and break when TLBIs have removed the block."""
    await stage2_make_pte(cpu, STAGE2, table(PTES))
    await cpu.dsb("ishst")
    await kvm_tlb_flush_vmid_ipa(cpu, OLD)


async def split(cpu: Cpu) -> None:
    """The host: maps by pages what it maps by a block."""
    await cpu.fill(PTES, leaf(OLD), 1, 2)
    await cpu.dsb("ishst")
    await link_table(cpu)


async def wait_for_table(cpu: Cpu, aborted: Aborted) -> None:
    """The guest goes on when its page is mapped."""
    del aborted
    await cpu.wait(STAGE2, is_mapped)
    await cpu.eret(retry=True)


@scenario(evidence="proved")
def split_block(
    *,
    cpus: Annotated[int, Range(2, 4)] = 2,
    noabort: Annotated[str, CpuSet()] = "none",
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """The host cuts a block of stage 2 into pages under a running guest, with a break between."""
    able = cpu_set(noabort, cpus)
    at = setup(cpus, hardware)
    host, *guests = (
        cpu._replace(features=Features(bbm=2 if n in able else 0, noabort=n in able))
        for n, cpu in enumerate(at.cpus)
    )
    host = host._replace(program=split, args=())
    return replace(at, cpus=(host, *guests), tables=BLOCK, hypervisor=wait_for_table)


split_live = split_block.twin(
    "Make before break, where no CPU has BBML2_NOABORT: a block and its pages are held together.",
    expect="VIOLATED:no_size_change_seen",
    replace={link_table: link_table_live},
)

split_live_noabort = split_live.twin(
    "Make before break, on CPUs that all have BBML2_NOABORT: nothing is ever unmapped.",
    expect="HOLDS",
    noabort="all",
)


@routine
async def split_and_move(cpu: Cpu) -> None:
    """The table maps another page than the block did."""
    await cpu.str(ENTRY, leaf(NEW))
    await cpu.dsb("ishst")
    await link_table_live(cpu)


split_live_moved = split_live_noabort.twin(
    "Make before break with another output: BBML2 is about sizes alone.",
    expect="VIOLATED:no_tlb_conflict",
    replace={link_table: split_and_move},
)
