"""A test made a machine: a listing for each thread, tables, data, and who translates through what.

The ASID is TTBR0's (TCR_EL1.A1 = 0), since the notation speaks of TTBR0 alone; a thread of which
nothing is said has the root `page_table_base` and ASID 0. Walks of the other half are disabled.

Where two entries disagree an access gets either of them, which is what published verdicts speak of;
`init.cpus` asks for the rest of R20: conflict aborts, mixtures.

Privileges of instructions are not checked: a TLBI at EL0 is executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simbbm.arm64.execution.listing import IfEqual, IfFault, Instruction, Listing, Reg
from simbbm.arm64.execution.listing import Value as Operand
from simbbm.arm64.features import DELAYED, Features, Hardware
from simbbm.arm64.registers import Regime, Tcr, Ttbr
from simbbm.arm64.translation.tlb import Tlbi
from simbbm.arm64.translation.tlbi_operand import OPERANDS
from simbbm.check.properties import Property
from simbbm.litmus import as_program
from simbbm.litmus.layout import Layout
from simbbm.litmus.notation.operations import Operation, Shootdown
from simbbm.litmus.notation.reader import LitmusTest, Thread
from simbbm.litmus.notation.syntax import Base, Choice, Equal, Location, Register, Value
from simbbm.scenario import CpuSetup, Setup, nothing

NEVER_REACHED = "never_reached"
"""The property: no execution ends in the condition."""
WINDOW = 64
"""Instructions in flight: more than any test has, so that the rules alone decide."""
HARDWARE = DELAYED._replace(early=False)
"""A translation that is made early is a step of its own here, and needs no early results."""


class Options(NamedTuple):
    """What a test is run with besides itself."""

    ets2: bool = False
    window: int = WINDOW
    hardware: Hardware = HARDWARE
    programs: bool = False
    """Its threads are programs, as the kernel's protocol is, and not listings."""


def setup(test: LitmusTest, layout: Layout, options: Options) -> Setup:
    """Return the machine's description."""
    listings = tuple(listing(thread, layout) for thread in test.threads)
    return Setup(
        geometry=layout.geometry,
        cpus=tuple(
            CpuSetup(
                as_program.thread if options.programs else nothing,
                _regime(thread, layout),
                args=(code,) if options.programs else (),
                features=Features(
                    thread.cpu.bbm,
                    thread.cpu.noabort,
                    options.ets2,
                    thread.cpu.conflict,
                    ntlbpa=thread.cpu.ntlbpa,
                ),
                el=thread.el,
                listing=None if options.programs else code,
            )
            for thread, code in zip(test.threads, listings, strict=True)
        ),
        handler=as_program.handle if options.programs else None,
        handler_args=(listings,) if options.programs else (),
        tables=layout.tables(),
        properties=(Property(NEVER_REACHED),),
        data={layout.word(word): value for word, value in test.data},
        hardware=options.hardware._replace(window=options.window),
        symbols=layout.symbols(),
    )


def _first(thread: Thread, layout: Layout) -> Base:
    return thread.ttbr0 or Base(layout.names.root)


def _regime(thread: Thread, layout: Layout) -> Regime:
    ttbr0 = layout.constant(_first(thread, layout))
    assert isinstance(ttbr0, Ttbr)
    tcr = Tcr(layout.bits, 0, a1=False, epd1=True)
    return Regime((ttbr0,), (Ttbr(0),), (tcr,))


def listing(thread: Thread, layout: Layout) -> Listing:
    """Return a thread as the machine runs it."""
    asid = _first(thread, layout).asid
    return Listing(
        tuple(_instructions(_reached(thread.operations), layout, asid)),
        fault=_handler(thread.fault, layout, asid),
        svc=_handler(thread.svc, layout, asid),
        registers=tuple((number, layout.constant(v)) for number, v in thread.registers),
    )


def _reached(operations: Iterable[Operation]) -> Iterator[Operation]:
    """Operations without what lies between an ERET and the label behind it, to which it goes.

    Without a label behind it an ERET continues at the next operation, at EL0.
    """
    skipped: list[Operation] | None = None
    for operation in operations:
        if operation.op == "label":
            skipped = None
        elif skipped is not None:
            skipped.append(operation)
        else:
            yield operation
            if operation.op == "eret":
                skipped = []
    yield from skipped or ()


def _handler(
    operations: tuple[Operation, ...] | None, layout: Layout, asid: int
) -> tuple[Instruction, ...] | None:
    """Return a handler. It ends with a return anyway, so an ERET of its own is that one."""
    if operations is None:
        return None
    ends = next((i for i, o in enumerate(operations) if o.op == "eret"), len(operations))
    return tuple(_instructions(operations[:ends], layout, asid))


def _instructions(
    operations: Iterable[Operation], layout: Layout, asid: int
) -> Iterator[Instruction]:
    """Lower operations one by one. A TLBI that names no ASID means the one in TTBR0."""
    for operation in operations:
        if operation.op == "label":
            continue
        if operation.op == "msr" and isinstance(operation.value, Base):
            asid = operation.value.asid
        shootdown = operation.tlbi
        yield Instruction(
            op=operation.op,
            destination=operation.destination,
            place=layout.place(operation.location) if operation.location else None,
            value=_operand(operation.value, layout, operation.location),
            address_from=operation.address_from,
            data_from=operation.data_from,
            option=operation.option,
            tlbi=_tlbi(shootdown, layout, asid) if shootdown else None,
            number=operation.number,
        )


def _operand(value: Value | None, layout: Layout, where: Location | None) -> Operand | None:
    match value:
        case None:
            return None
        case Register(number=number):
            return Reg(number)
        case Choice():
            return IfFault(*value)
        case Equal(register=register, value=wanted):
            return IfEqual(register, layout.constant(wanted))
        case _:
            return layout.constant(value, where)


def _tlbi(shootdown: Shootdown, layout: Layout, asid: int) -> Tlbi:
    wants_page, wants_asid = OPERANDS[shootdown.op]
    page = None
    if wants_page:
        assert shootdown.location is not None
        of_entry = shootdown.of_entry
        page = layout.page_of_entry() if of_entry else layout.page(shootdown.location)
    given = asid if shootdown.asid is None else shootdown.asid
    asked = given if wants_asid else None
    return Tlbi(shootdown.op, shootdown.broadcast, page, asked, shootdown.pages, shootdown.ttl)
