"""A CPU runs one guest after another: what is held of the first must not serve the second.

A host at EL2 switches the world: it writes VTTBR_EL2 and the guest's registers, and returns to EL1
(KVM: __load_stage2() and __sysreg_restore_el1_state()). While a CPU is at EL2 nothing walks for a
guest. Entries stay, tagged by VMID and ASID. Three cases:

* Two VMs (`vms`). Each has a VMID of its own, so no flush is needed, and it is no matter in which
  order the registers are written, since the return to EL1 comes last.
* Two vCPUs of one VM (`vcpus`). A guest may map an address on each of its CPUs in its own way under
  one ASID. If both run on one CPU, with one VMID, each finds entries of the other there. KVM keeps
  who ran last (last_vcpu_ran), and when that was another one it invalidates this CPU's entries of
  the VMID (__kvm_flush_cpu_context: `tlbi vmalle1; dsb nsh; isb`).
* A VMID that is used again (`rollover`). When VMIDs have run out, all are given anew, and before
  that everything goes that is held of any (__kvm_flush_vm_context: `tlbi alle1is; dsb ish`).

Simplified: one program is all that a CPU runs, guest after guest, with HVCs between them. A vCPU
does not move to another CPU (its local TLBIs would have to reach both: HCR_EL2.FB).
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from simbbm import (
    KERNEL_PAGE,
    SCALED,
    Aborted,
    Cpu,
    CpuSetup,
    Program,
    Range,
    Regime,
    Setup,
    Tcr,
    Ttbr,
    Vttbr,
    cpu_numbers,
    hardware_for,
    leaf,
    no_size_change_seen,
    no_stale_translation,
    no_tlb_conflict,
    routine,
    scenario,
    terminates,
)

WORDS = SCALED.page_words
WORD = KERNEL_PAGE * WORDS
"""What every guest uses: the first word of its first page."""
ROOT_A, ROOT_B, VM_A, VM_B = (6 * WORDS + 2 * n for n in range(4))
"""Roots of two tables of stage 1, and of two of stage 2."""
TABLES = {
    ROOT_A: (leaf(0), leaf(2)),
    ROOT_B: (leaf(2), leaf(0)),
    VM_A: (leaf(0), leaf(2)),
    VM_B: (leaf(4), leaf(6)),
}
"""Two blocks each, of two pages."""
DATA = {0: 1, 2 * WORDS: 2, 4 * WORDS: 3, 6 * WORDS - 1: 4}
NAMES = {ROOT_A: "stage1_a", ROOT_B: "stage1_b", VM_A: "vm_a", VM_B: "vm_b", WORD: "word"}


class Guest(NamedTuple):
    """A guest: its registers, and what it finds in its word."""

    ttbr1: Ttbr
    vttbr: Vttbr
    finds: int


FIRST = Guest(Ttbr(ROOT_A), Vttbr(VM_A, vmid=1, bits=2), finds=1)
SECOND_VCPU = Guest(Ttbr(ROOT_B), FIRST.vttbr, finds=2)
SECOND_VM = Guest(Ttbr(ROOT_A), Vttbr(VM_B, vmid=2, bits=2), finds=3)
THIRD_VM = SECOND_VM._replace(vttbr=Vttbr(VM_B, vmid=1, bits=2))
"""The second VM once more, under the VMID that the first one had."""


@routine
async def run(cpu: Cpu, guest: Guest) -> None:
    """A guest, while it is there."""
    if await cpu.ldr(WORD) != guest.finds:
        await cpu.panic("a guest finds what is another's")


async def guests(cpu: Cpu, every: tuple[Guest, ...]) -> None:
    """A CPU: each guest in turn leaves for the next one."""
    await run(cpu, every[0])
    for number in range(1, len(every)):
        await cpu.hvc(number)
        await run(cpu, every[number])


@routine
async def load_guest(cpu: Cpu, guest: Guest) -> None:
    """kvm_mmu.h:__load_stage2, and the guest's own registers."""
    await cpu.msr("vttbr_el2", guest.vttbr)
    await cpu.msr("ttbr1_el1", guest.ttbr1)


def setup(cpus: int, hardware: str, hypervisor: Program, *every: Guest) -> Setup:
    """CPUs that all run these guests, one after another."""
    at_start = Regime((Ttbr(0),), (every[0].ttbr1,), (Tcr(0, 2, epd0=True),), (every[0].vttbr,))
    cpu = CpuSetup(guests, at_start, args=(every,))
    return Setup(
        geometry=SCALED,
        hardware=hardware_for(hardware),
        cpus=tuple(cpu for _ in cpu_numbers(cpus)),
        tables=TABLES,
        data=DATA,
        properties=(no_tlb_conflict, no_size_change_seen, no_stale_translation, terminates),
        hypervisor=hypervisor,
        handler_args=(every,),
        symbols=NAMES,
    )


# Two VMs


async def next_vm(cpu: Cpu, aborted: Aborted, every: tuple[Guest, ...]) -> None:
    """The host: loads the guest that the HVC names, and returns to it."""
    await load_guest(cpu, every[aborted.page])
    await cpu.eret()


@scenario(evidence="proved")
def vms(
    *,
    cpus: Annotated[int, Range(1, 3)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Two VMs on one CPU, each with its VMID: nothing is invalidated between them."""
    return setup(cpus, hardware, next_vm, FIRST, SECOND_VM)


@routine
async def load_guest_no_vmid(cpu: Cpu, guest: Guest) -> None:
    """The VMID of the first guest for all of them."""
    await cpu.msr("vttbr_el2", guest.vttbr._replace(vmid=FIRST.vttbr.vmid))
    await cpu.msr("ttbr1_el1", guest.ttbr1)


one_vmid = vms.twin(
    "One VMID for both VMs: what is held of the first serves the second.",
    expect="VIOLATED:no_tlb_conflict",
    replace={load_guest: load_guest_no_vmid},
)


# Two vCPUs of one VM


@routine
async def kvm_flush_cpu_context(cpu: Cpu) -> None:
    """hyp/nvhe/tlb.c:__kvm_flush_cpu_context."""
    await cpu.tlbi("vmalle1")
    await cpu.dsb("nsh")
    await cpu.isb()


async def next_vcpu(cpu: Cpu, aborted: Aborted, every: tuple[Guest, ...]) -> None:
    """kvm/arm.c:kvm_arch_vcpu_load: another vCPU of this VM ran last on this CPU."""
    await kvm_flush_cpu_context(cpu)
    await load_guest(cpu, every[aborted.page])
    await cpu.eret()


@scenario(evidence="proved")
def vcpus(
    *,
    cpus: Annotated[int, Range(1, 3)] = 2,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Two vCPUs of one VM on one CPU, which map an address in two ways under one ASID."""
    return setup(cpus, hardware, next_vcpu, FIRST, SECOND_VCPU)


no_last_vcpu_ran = vcpus.twin(
    "No local flush: the second vCPU uses what the first has left (last_vcpu_ran, 94d0e5980d67).",
    expect="VIOLATED:no_tlb_conflict",
    drop=["kvm_flush_cpu_context.tlbi.vmalle1"],
)


@routine
async def flush_by_ipa(cpu: Cpu) -> None:
    """What the two vCPUs share is invalidated, and what each has of its own is not."""
    for ipa in (0, 2):
        await cpu.tlbi("ipas2e1", ipa)
    await cpu.dsb("nsh")
    await cpu.isb()


last_vcpu_by_ipa = vcpus.twin(
    "A flush of stage 2 in its place: entries of stage 1, and combined ones, are what hurts.",
    expect="VIOLATED:no_tlb_conflict",
    replace={kvm_flush_cpu_context: flush_by_ipa},
)


# A VMID again


@routine
async def kvm_flush_vm_context(cpu: Cpu) -> None:
    """hyp/nvhe/tlb.c:__kvm_flush_vm_context."""
    await cpu.tlbi("alle1is")
    await cpu.dsb("ish")


async def next_generation(cpu: Cpu, aborted: Aborted, every: tuple[Guest, ...]) -> None:
    """kvm/vmid.c:new_vmid: where a VMID is given again, all entries go first."""
    guest = every[aborted.page]
    await load_guest(cpu, guest)
    if guest.vttbr.vmid == FIRST.vttbr.vmid:
        await cpu.isb()
        await kvm_flush_vm_context(cpu)
    await cpu.eret()


@scenario(evidence="proved")
def rollover(
    *,
    cpus: Annotated[int, Range(1, 3)] = 1,
    hardware: Literal["delayed", "eager"] = "delayed",
) -> Setup:
    """Two VMs, and then VMIDs have run out: the second gets the one that the first had."""
    return setup(cpus, hardware, next_generation, FIRST, SECOND_VM, THIRD_VM)


no_alle1 = rollover.twin(
    "No TLBI when VMIDs are given again.",
    expect="VIOLATED:no_tlb_conflict",
    drop=["kvm_flush_vm_context.tlbi.alle1is"],
)

rollover_stage1 = rollover.twin(
    "A TLBI of stage 1 when VMIDs are given again: what is held of stage 2 stays.",
    expect="VIOLATED:no_tlb_conflict",
    weaken={"kvm_flush_vm_context.tlbi.alle1is": "tlbi.vmalle1is"},
)

by_vmid = rollover.twin(
    "A TLBI of both stages of the VMID that is given again is enough, behind an ISB.",
    expect="HOLDS",
    weaken={"kvm_flush_vm_context.tlbi.alle1is": "tlbi.vmalls12e1is"},
)

by_vmid_no_isb = by_vmid.twin(
    "No ISB between VTTBR_EL2 and that TLBI: it may be for the VMID that was there before.",
    expect="VIOLATED:no_tlb_conflict",
    drop=["next_generation.isb"],
)
