"""What a hypervisor does to single pages of its guest: maps, protects, lets be written, replaces.

* `mapped`: a page that was not mapped needs no TLBI (R3): faults are never held. The guest may
  fault once more on its other CPUs, and tries again.
* `relaxed`: a page that could be read may be written from now on. The old entry is held and faults
  for ever, on the CPU that faulted and on others, each of which flushes itself when it faults
  (KVM: kvm_tlb_flush_vmid_ipa_nsh(), local on purpose; `tlbi ipas2e1; dsb nsh; tlbi vmalle1; dsb
  nsh; isb`).
* `protected`: a page may not be written any more (dirty logging, migration). What the host reads
  behind its flush, and sends away, is what stays.
* `reentered`: the guest is out, the host cuts a block and gives the guest a copy of one page; the
  guest enters again. A flush on entry, of both stages, is all that is needed, since nobody else
  runs it (tinykvm, pull request 79, did not flush).

Simplified: as in `hypervisor`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from simbbm_scenarios.hypervisor import (
    BLOCK,
    ENTRY,
    FLUSH,
    NEW,
    OLD,
    PTES,
    REGIME,
    STAGE2,
    TABLES_AT_START,
    WORDS,
    kvm_handle_guest_abort,
    kvm_tlb_flush_vmid_ipa,
)
from simbbm_scenarios.hypervisor import setup as machine

from simbbm import (
    INVALID_DESCRIPTOR,
    KERNEL_PAGE,
    RO,
    Aborted,
    Cpu,
    CpuSetup,
    Program,
    Range,
    Setup,
    leaf,
    no_size_change_seen,
    no_stale_translation,
    no_tlb_conflict,
    routine,
    scenario,
    table,
    terminates,
)

WORD = KERNEL_PAGE * WORDS
"""The first word of the guest's page, by its address there."""
STATE = 3 * WORDS
"""A word that hosts share, in memory."""
OUT, CHANGED = 1, 2
"""What it says: the guest is out; its memory has been changed."""
CONTENTS = 7

Hardware = Literal["delayed", "eager"]


def setup(hardware: str, *cpus: CpuSetup, hypervisor: Program, **more: Any) -> Setup:
    """CPUs of a host and of its guest."""
    return replace(machine(2, hardware), cpus=cpus, hypervisor=hypervisor, **more)


def host(program: Program) -> CpuSetup:
    """A CPU that is at EL2 from the start, and stays there."""
    return CpuSetup(program, REGIME, el=2)


def guest(program: Program) -> CpuSetup:
    """A CPU that runs the guest."""
    return CpuSetup(program, REGIME)


async def skip(cpu: Cpu, aborted: Aborted) -> None:
    """What faults is left out."""
    del aborted
    await cpu.eret(retry=False)


# From invalid to valid


async def map_page(cpu: Cpu) -> None:
    """The host: fills a page and maps it."""
    await cpu.str(NEW * WORDS, CONTENTS)
    await cpu.dsb("ishst")
    await cpu.str(ENTRY, leaf(NEW))


async def reader(cpu: Cpu) -> None:
    """A vCPU: what it reads is what the host has put there."""
    if await cpu.ldr(WORD) != CONTENTS:
        await cpu.panic("a page that is not filled")


@scenario(evidence="proved")
def mapped(
    *,
    cpus: Annotated[int, Range(2, 4)] = 3,
    hardware: Hardware = "delayed",
) -> Setup:
    """A page is mapped for a running guest, without a TLBI."""
    readers = (guest(reader),) * (cpus - 1)
    return setup(
        hardware,
        host(map_page),
        *readers,
        hypervisor=kvm_handle_guest_abort,
        tables=TABLES_AT_START | {PTES: (INVALID_DESCRIPTOR, leaf(OLD + 1))},
        properties=(no_tlb_conflict, no_size_change_seen, no_stale_translation, terminates),
    )


unfilled = mapped.twin(
    "No DSB between what the page holds and the descriptor that maps it.",
    expect="VIOLATED:no_panic",
    drop=["map_page.dsb.ishst"],
)


# From read-only to writable


@routine
async def kvm_tlb_flush_vmid_ipa_nsh(cpu: Cpu, ipa: int) -> None:
    """hyp/nvhe/tlb.c:__kvm_tlb_flush_vmid_ipa_nsh."""
    await cpu.dsb("nshst")
    await cpu.tlbi("ipas2e1", ipa)
    await cpu.dsb("nsh")
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()


@routine
async def once(cpu: Cpu) -> None:
    """Behind its own flush a CPU does not fault again; else it would, for ever."""
    faults = STATE + 1 + await cpu.mrs_mpidr()
    if await cpu.ldr(faults):
        await cpu.panic("a guest faults on a page that it may write to")
    await cpu.str(faults, 1)


async def stage2_relax_perms(cpu: Cpu, aborted: Aborted) -> None:
    """hyp/pgtable.c:kvm_pgtable_stage2_relax_perms, on the CPU that has faulted."""
    del aborted
    await once(cpu)
    await cpu.str(ENTRY, leaf(OLD))
    await kvm_tlb_flush_vmid_ipa_nsh(cpu, OLD)
    await cpu.eret(retry=True)


async def writer(cpu: Cpu) -> None:
    """A vCPU: writes to the page."""
    await cpu.str(WORD, 1)


@scenario(evidence="proved")
def relaxed(
    *,
    cpus: Annotated[int, Range(2, 3)] = 2,
    hardware: Hardware = "delayed",
) -> Setup:
    """A guest writes to a page that was read-only; each CPU that faults flushes itself."""
    return setup(
        hardware,
        *(guest(writer),) * cpus,
        hypervisor=stage2_relax_perms,
        tables=TABLES_AT_START | {PTES: (leaf(OLD, RO), leaf(OLD + 1))},
    )


relaxed_no_vmalle1 = relaxed.twin(
    "No TLBI of stage 1: the combined entry stays read-only, and the guest faults for ever.",
    expect="VIOLATED:no_panic",
    drop=["kvm_tlb_flush_vmid_ipa_nsh.tlbi.vmalle1"],
)

relaxed_no_ipas2 = relaxed.twin(
    "No TLBI by IPA: walks make the read-only entry again.",
    expect="VIOLATED:no_panic",
    drop=["kvm_tlb_flush_vmid_ipa_nsh.tlbi.ipas2e1"],
)


# From writable to read-only


async def protect(cpu: Cpu) -> None:
    """The host: nobody writes to the page, and what it holds is sent away."""
    await cpu.str(ENTRY, leaf(OLD, RO))
    await cpu.dsb("ishst")
    await kvm_tlb_flush_vmid_ipa(cpu, OLD)
    sent = await cpu.ldr(OLD * WORDS)
    await cpu.dsb("ish")
    if await cpu.ldr(OLD * WORDS) != sent:
        await cpu.panic("a page that has been sent is written to")


@scenario(evidence="proved")
def protected(*, hardware: Hardware = "delayed") -> Setup:
    """The host takes away the right to write, and reads what stays."""
    return setup(hardware, host(protect), guest(writer), hypervisor=skip)


protected_no_vmalle1 = protected.twin(
    "No TLBI of stage 1: the guest writes on by a combined entry.",
    expect="VIOLATED:no_panic",
    drop=[f"{FLUSH}.tlbi.vmalle1is"],
)

protected_no_dsb = protected.twin(
    "No DSB behind the last TLBI: stores that the old entry has let through are on their way.",
    expect="VIOLATED:no_panic",
    drop=[f"{FLUSH}.dsb.ish#2"],
)


# While the guest is out


def is_out(state: int) -> bool:
    """Whether the guest has left."""
    return state == OUT


def is_changed(state: int) -> bool:
    """Whether the host is done."""
    return state == CHANGED


@routine
async def publish(cpu: Cpu) -> None:
    """Walks read the new descriptors from here on."""
    await cpu.dsb("ish")


async def cut_and_copy(cpu: Cpu) -> None:
    """The host: maps by pages what a block has mapped, one of them to a copy."""
    await cpu.wait(STATE, is_out, acquire=True)
    await cpu.str(NEW * WORDS, CONTENTS)
    await cpu.fill(PTES, leaf(OLD), 1, 2)
    await cpu.str(ENTRY, leaf(NEW))
    await cpu.dsb("ish")
    await cpu.str(STAGE2, table(PTES))
    await publish(cpu)
    await cpu.str(STATE, CHANGED)


async def leaves(cpu: Cpu) -> None:
    """The guest: uses its page, leaves, and uses it again."""
    await cpu.ldr(WORD)
    await cpu.hvc()
    await reader(cpu)


@routine
async def flush_on_entry(cpu: Cpu) -> None:
    """Nothing of this VMID is held when the guest goes on."""
    await cpu.tlbi("vmalls12e1")
    await cpu.dsb("nsh")
    await cpu.isb()


async def enter(cpu: Cpu, aborted: Aborted) -> None:
    """The guest's CPU at EL2: waits for the host, and goes back."""
    del aborted
    await cpu.str(STATE, OUT)
    await cpu.wait(STATE, is_changed, acquire=True)
    await flush_on_entry(cpu)
    await cpu.eret()


@scenario(evidence="proved")
def reentered(*, hardware: Hardware = "delayed") -> Setup:
    """While a guest is out its block is cut, and a page replaced; it is flushed on entry."""
    return setup(
        hardware,
        host(cut_and_copy),
        guest(leaves),
        hypervisor=enter,
        tables=BLOCK,
        properties=(no_tlb_conflict, no_size_change_seen, no_stale_translation, terminates),
    )


not_flushed = reentered.twin(
    "No TLBI on entry: the block is still held beside the page (tinykvm, pull request 79).",
    expect="VIOLATED:no_tlb_conflict",
    drop=["flush_on_entry.tlbi.vmalls12e1"],
)

flushed_stage1 = reentered.twin(
    "A TLBI of stage 1 on entry: the block is still held at stage 2.",
    expect="VIOLATED:no_tlb_conflict",
    weaken={"flush_on_entry.tlbi.vmalls12e1": "tlbi.vmalle1"},
)


@routine
async def publish_and_flush(cpu: Cpu) -> None:
    """The host invalidates for the guest's CPU, while that is at EL2."""
    await publish(cpu)
    await cpu.tlbi("vmalls12e1is")
    await cpu.dsb("ish")


@routine
async def no_flush(cpu: Cpu) -> None:
    """Another CPU has invalidated."""
    await cpu.isb()


flushed_by_host = reentered.twin(
    "A broadcast TLBI of the host's in place of the flush on entry: what is parked goes as well.",
    expect="HOLDS",
    replace={publish: publish_and_flush, flush_on_entry: no_flush},
)

flushed_too_late = flushed_by_host.twin(
    "No DSB behind it: the guest may be back before the TLBI has acted on its CPU.",
    expect="VIOLATED:no_tlb_conflict",
    drop=["publish_and_flush.dsb.ish"],
)
