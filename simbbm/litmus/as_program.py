"""A thread of a litmus test as a program: the source that the kernel's protocol has.

What a listing's handler leaves in registers of the thread, ERET hands to the operation that was
interrupted, as an exception table's fixup or a system call does.

Not expressible: a handler that uses a register which the thread has written.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.execution.listing import IfEqual, IfFault, Instruction, Listing, Reg, Value
from simbbm.arm64.ops import Aborted, Cpu, Physical, depending
from simbbm.arm64.translation.tlbi_operand import is_by_range
from simbbm.litmus.notation.operations import Operation
from simbbm.litmus.notation.reader import Thread
from simbbm.litmus.notation.syntax import Equal, Register

Registers = dict[int, Any]
ACCESSES = {"ld": "ldr", "ld.acq": "ldar", "ld.acqpc": "ldapr", "st": "str", "st.rel": "stlr"}


class Interrupted(NamedTuple):
    """What an operation observes that was interrupted by an exception."""

    registers: tuple[tuple[int, Any], ...]
    """What the handler has written."""
    kind: str
    """Of the fault; empty for an SVC."""
    stopped: bool
    """The thread is over."""
    nested: tuple[tuple[int, str], ...]
    """Faults that the handler itself took."""


async def thread(cpu: Cpu, listing: Listing) -> tuple[Any, Any]:
    """Run a listing; return registers and faults, as (place, kind)."""
    registers: Registers = dict(listing.registers)
    faults: dict[tuple[int, str], None] = {}
    for instruction in listing.instructions:
        if instruction.op == "stop":
            break
        result = await perform(cpu, instruction, registers, None)
        if type(result) is Interrupted:
            registers |= dict(result.registers)
            faults |= dict.fromkeys(result.nested)
            if result.kind:
                faults[instruction.number, result.kind] = None
            if result.stopped:
                break
        elif instruction.destination is not None:
            registers[instruction.destination] = result
    return tuple(sorted(registers.items())), tuple(sorted(faults))


async def handle(cpu: Cpu, aborted: Aborted, listings: tuple[Listing, ...]) -> None:
    """The exception handler of every thread: its listing says what it does."""
    number = await cpu.mrs_mpidr()
    listing, called = listings[number], aborted.access == "svc"
    code = listing.svc if called else listing.fault
    stopped = code is None and not called
    written: Registers = {}
    faults: dict[tuple[int, str], None] = {}
    for instruction in code or ():
        if instruction.op == "stop":
            stopped = True
            break
        registers = dict(listing.registers) | written
        result = await perform(cpu, instruction, registers, aborted)
        if type(result) is Interrupted:
            written |= dict(result.registers)
            faults |= dict.fromkeys((*result.nested, (instruction.number, result.kind)))
        elif instruction.destination is not None:
            written[instruction.destination] = result
    kind = "" if called else aborted.kind
    told = Interrupted(tuple(sorted(written.items())), kind, stopped, tuple(sorted(faults)))
    await cpu.eret(retry=False, result=told)


async def perform(
    cpu: Cpu, instruction: Instruction, registers: Registers, aborted: Aborted | None
) -> Any:
    """One instruction: returns what it writes to its register, or what interrupted it."""
    op, place = instruction.op, instruction.place
    on_address = [registers.get(number, 0) for number in instruction.address_from]
    on_data = [registers.get(number, 0) for number in instruction.data_from]
    if place is not None:
        address: Any = Physical(place.address) if place.physical else place.address
        address = depending(address, *on_address) if on_address else address
        if op == "ld":
            return await cpu.ldr(address)
        if op == "ld.acq":
            return await cpu.ldar(address)
        if op == "ld.acqpc":
            return await cpu.ldapr(address)
        value = evaluate(instruction.value, registers, aborted)
        value = depending(value, *on_data) if on_data else value
        return await (cpu.str(address, value) if op == "st" else cpu.stlr(address, value))
    if op == "mov":
        return evaluate(instruction.value, registers, aborted)
    if op == "ctrl" or (op == "tlbi" and on_address):
        await cpu.ctrl(depending(0, *on_data, *on_address))
    if op == "tlbi" and instruction.tlbi is not None:
        tlbi = instruction.tlbi
        name = tlbi.op + ("is" if tlbi.broadcast else "")
        pages = tlbi.pages if is_by_range(tlbi.op) else None
        return await cpu.tlbi(name, tlbi.page, tlbi.asid, pages=pages, ttl=tlbi.ttl)
    if op == "msr":
        return await cpu.msr(instruction.option, evaluate(instruction.value, registers, aborted))
    if op in ("dmb", "dsb"):
        return await (cpu.dmb if op == "dmb" else cpu.dsb)(instruction.option)
    if op == "isb":
        return await cpu.isb()
    if op == "svc":
        return await cpu.svc()
    if op == "eret":
        return await cpu.eret_to_el0()
    return None


def evaluate(value: Value | None, registers: Registers, aborted: Aborted | None) -> Any:
    """What a store, move or MSR writes."""
    if isinstance(value, Reg):
        return registers.get(value.number, 0)
    if isinstance(value, IfEqual):
        number, wanted = value
        return int(registers.get(number, 0) == wanted)
    if isinstance(value, IfFault) and aborted is not None:
        met = getattr(aborted, value.field) == value.equals
        return value.then if met else value.otherwise
    return value


def expressible(listed: Thread) -> bool:
    """Whether no handler uses a register that the thread has written."""
    written = {o.destination for o in listed.operations if o.destination is not None}
    handlers = (*(listed.fault or ()), *(listed.svc or ()))
    return all(written.isdisjoint(_used(operation)) for operation in handlers)


def _used(operation: Operation) -> set[int]:
    used = {*operation.address_from, *operation.data_from}
    if isinstance(operation.value, Register):
        used.add(operation.value.number)
    if isinstance(operation.value, Equal):
        used.add(operation.value.register)
    return used
