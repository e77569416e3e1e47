"""The state of a listing: a source whose instructions are known in advance.

Instructions are fetched in program order into a window and leave it in program order once they are
done. A fault drops what is younger, and the handler's instructions follow.

Behind a branch whose condition is not known yet, either way may be fetched, as a predictor might;
when the condition becomes known, what was fetched of the other way is dropped. Of a branch
backwards only what is behind it is fetched so (fewer behaviours: no second turn of a loop begins
before it is known that there is one).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.execution.decoding import check_address
from simbbm.arm64.execution.flight import InFlight, Window, shifted, with_entry
from simbbm.arm64.execution.instructions import LISTED, Decoded
from simbbm.arm64.execution.listing import (
    ELR,
    Apply,
    CodeAddress,
    IfEqual,
    IfFault,
    Instruction,
    Listing,
    Reg,
    Select,
    Value,
)
from simbbm.arm64.ops import Physical
from simbbm.arm64.translation.walks import Fault
from simbbm.core.errors import ScenarioError

if TYPE_CHECKING:
    from simbbm.arm64.context import Shared
    from simbbm.arm64.ops import Aborted
    from simbbm.arm64.translation.memory import Memory

_RETURN = Instruction("return")


class Thread:
    """A listing with its instructions numbered: main part, then handlers. Compare by identity."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.code = [*listing.instructions]
        self.main = tuple(range(len(self.code)))
        self.by_elr = listing.resumes == "elr"
        self.fault = self._append(listing.fault)
        self.svc = self.fault if self.by_elr else self._append(listing.svc)

    def _append(self, handler: tuple[Instruction, ...] | None) -> tuple[int, ...] | None:
        """Number a handler's instructions; it ends with a return, unless it has its own."""
        if handler is None:
            return None
        start = len(self.code)
        self.code += handler if self.by_elr else [*handler, _RETURN]
        return tuple(range(start, len(self.code)))

    def from_on(self, number: int) -> tuple[int, ...]:
        """The instructions from this one on, of the thread or of its handler."""
        end = len(self.main) if number < len(self.main) else len(self.code)
        return tuple(range(number, end))


class Listed(NamedTuple):
    """The state of a thread."""

    thread: Thread
    window: Window
    rest: tuple[int, ...]
    """Numbers of the instructions that are still to be fetched."""
    registers: tuple[tuple[int, Any], ...]
    faults: tuple[tuple[Any, ...], ...] = ()
    """Number and kind of every fault taken, and where, if a register said where."""
    aborted: Fault | None = None
    """The fault that the handler looks at."""
    returns_to: int = 0
    """Exception level that the next return restores."""

    @property
    def split(self) -> bool:
        """Accesses are translated first, and performed later."""
        return True

    @property
    def keeps_faults(self) -> bool:
        """A handler's instructions may be in flight while its fault waits for barriers."""
        return True

    @property
    def finished(self) -> bool:
        """Whether every instruction is done."""
        return not self.window and not self.rest

    def content(self) -> tuple[Any, ...]:
        """What identifies it."""
        return tuple(self[1:])

    def instruction(self, i: int) -> Instruction:
        """The i-th instruction in the window."""
        return self.thread.code[self.window[i].code]

    # What is known

    def code(self, state: CpuState, number: int) -> list[Decoded]:  # noqa: ARG002
        """What is in flight, decoded as far as registers are known."""
        return [self._decoded(i, number) for i in range(len(self.window))]

    def _decoded(self, i: int, number: int) -> Decoded:
        instruction = self.instruction(i)
        place, code = instruction.place, self.window[i].code
        address: Any = place.address if place else 0
        physical = bool(place and place.physical)
        addressed = self._known(instruction.address_from, i)
        if instruction.address is not None:
            addressed, address = self._evaluate(instruction.address, i)
            physical = type(address) is Physical
            address = address.address if physical else address
        where = f"P{number} op {instruction.number}"
        if addressed:
            check_address(where, instruction.op, address)
        again = sum(entry.code == code for entry in self.window[:i])
        return Decoded(
            LISTED[instruction.op],
            instruction.op,
            instruction.option,
            f"{code}.{instruction.op}" + (f"@{again + 1}" if again else ""),
            where,
            addressed,
            address if addressed else 0,
            physical,
            self._operands(instruction, i, address) if addressed else None,
        )

    def _operands(self, instruction: Instruction, i: int, address: int) -> tuple[Any, ...] | None:
        if instruction.tlbi is not None:
            by_register = instruction.address is not None and instruction.tlbi.page is not None
            return (instruction.tlbi._replace(page=address) if by_register else instruction.tlbi,)
        if not self._known(instruction.data_from, i):
            return None
        if instruction.value is None or instruction.op == "mov":
            return ()
        compare = instruction.compare
        values = (instruction.value,) if compare is None else (compare, instruction.value)
        found = [self._evaluate(value, i) for value in values]
        if not all(known for known, _ in found):
            return None
        operands = tuple(value for _, value in found)
        return operands if instruction.modifies is None else (instruction.modifies, *operands)

    def _register(self, number: int, before: int) -> tuple[bool, Any]:
        """Whether a register's value is known to the instruction at position `before`, and it."""
        for i in range(before - 1, -1, -1):
            if self.instruction(i).destination == number and not self.window[i].taken:
                return self._result(i)
        return True, dict(self.registers).get(number, 0)

    def _result(self, i: int) -> tuple[bool, Any]:
        """Whether the value that an instruction writes to its register is known, and it."""
        instruction, value = self.instruction(i), self.instruction(i).value
        if instruction.op == "select" and self.window[i].value is not None:
            assert isinstance(value, Select)
            return self._evaluate(value.of(taken=self.window[i].value), i)
        if instruction.op not in ("mov", "select"):
            return self.window[i].is_read, self.window[i].value
        assert value is not None
        return self._evaluate(value, i)

    def _evaluate(self, value: Value, at: int) -> tuple[bool, Any]:
        """Whether a value is known to the instruction at position `at`, and it."""
        if isinstance(value, Reg):
            return self._register(value.number, at)
        if isinstance(value, Apply):
            found = [self._evaluate(operand, at) for operand in value.operands]
            known = all(known for known, _ in found)
            return known, value.function(*(v for _, v in found)) if known else None
        if isinstance(value, Select):
            known, met = self._evaluate(value.condition, at)
            return (
                self._evaluate(value.then if met else value.otherwise, at) if known else (False, 0)
            )
        if isinstance(value, IfEqual):
            known, found = self._register(value.register, at)
            return known, int(found == value.value)
        if isinstance(value, IfFault):
            assert self.aborted is not None
            met = getattr(self.aborted, value.field) == value.equals
            return True, value.then if met else value.otherwise
        return True, value

    def _known(self, registers: tuple[int, ...], at: int) -> bool:
        """Whether all these registers are known to the instruction at position `at`."""
        return all(self._register(number, at)[0] for number in registers)

    # Retiring and fetching

    def retired(self, shared: Shared) -> Listed:
        """Retire finished instructions, and fetch until the window is full.

        Nothing is fetched beyond a context synchronisation event that has not happened.
        """
        ignored = "isb" if shared.ablated("isb") else ""
        flight = self.resolved().left()
        while flight.rest and len(flight.window) < shared.hardware.window:
            last = flight.window[-1] if flight.window else None
            op = flight.thread.code[last.code].op if last else ""
            if last and not last.done and LISTED[op].stops and op != ignored:
                break
            if last and op == "b" and last.value is None:
                break
            flight = flight.fetched(flight.rest[0])
        return flight.retired(shared) if flight.oldest_can_leave() else flight

    def fetched(self, code: int) -> Listed:
        """The thread with one more instruction in the window; a `stop` ends it."""
        if self.thread.code[code].op == "stop":
            return self._replace(rest=())
        window = (*self.window, InFlight(code))
        return self._replace(window=window, rest=self.rest[1:]).resolved()

    def resolved(self) -> Listed:
        """The thread with branches done whose condition is known, and the wrong way dropped."""
        flight = self
        for i, entry in enumerate(self.window):
            op = self.instruction(i).op
            if op not in ("b", "select") or entry.done:
                continue
            known, taken = self._condition(i)
            right = entry.value == taken or (op == "select" and entry.value is None)
            if known and right:
                done = with_entry(flight.window, i, entry._replace(value=taken, done=True))
                flight = flight._replace(window=done)
            elif known:
                return flight.guessed(i, taken, done=True)
        return flight

    def _condition(self, i: int) -> tuple[bool, int]:
        """Whether it is known if a branch is taken or a selection made, and it."""
        condition = self.instruction(i).value
        if condition is None:
            return True, 1
        condition = condition.condition if isinstance(condition, Select) else condition
        known, taken = self._evaluate(condition, i)
        return known, int(taken or 0)

    def guessed(self, i: int, taken: int, *, done: bool) -> Listed:
        """The thread that goes on one way behind the i-th instruction.

        What it had fetched behind a branch is gone; what it had fetched behind a selection is
        fetched anew.
        """
        entry, target = self.window[i], self.instruction(i).target
        guessed = entry._replace(value=taken, done=done)
        if self.instruction(i).op == "select":
            if entry.value is None:
                return self._replace(window=with_entry(self.window, i, guessed))
            rest = (*(e.code for e in self.window[i + 1 :]), *self.rest)
        else:
            assert target is not None
            rest = self.thread.from_on(target if taken else entry.code + 1)
        return self._replace(window=(*self.window[:i], guessed), rest=rest)

    def predicted(self, shared: Shared, state: CpuState, i: int) -> Iterator[tuple[str, CpuState]]:
        """The CPU after each guess of the i-th instruction, of which nothing is known."""
        entry, target = self.window[i], self.instruction(i).target
        if entry.value is None:
            forwards = target is None or target > entry.code
            for taken, what in ((1, "guesses taken"), (0, "guesses not taken"))[not forwards :]:
                flight = self.guessed(i, taken, done=False).retired(shared)
                yield what, shared.cpus.change(state, flight=flight)

    def left(self) -> Listed:
        """The thread without its oldest instructions, as far as they can be retired."""
        flight = self
        while flight.oldest_can_leave():
            flight = flight.retire_oldest()
        return flight

    def oldest_can_leave(self) -> bool:
        """Whether the oldest instruction can be retired: it is done, or has no move of its own."""
        if not self.window or self.window[0].update:
            return False
        return self.window[0].over or LISTED[self.instruction(0).op].silent

    def retire_oldest(self) -> Listed:
        """Retire the oldest instruction, and keep the value of its register."""
        registers = self.registers
        destination = self.instruction(0).destination
        if destination is not None and not self.window[0].taken:
            values = dict(registers) | {destination: self._result(0)[1]}
            registers = tuple(sorted(values.items()))
        return self._replace(window=shifted(self.window), registers=registers)

    def after(self, shared: Shared, state: CpuState, window: Window, **changes: Any) -> CpuState:
        """The CPU with this window: instructions that were cut off are fetched anew."""
        rest = tuple(entry.code for entry in self.window[len(window) :]) + self.rest
        flight = self._replace(window=window, rest=rest).retired(shared)
        return shared.cpus.change(state, flight=flight, **changes)

    def synchronised(self, shared: Shared, state: CpuState, i: int, **changes: Any) -> CpuState:
        """The CPU after ISB, SVC, ERET, or the return from a handler."""
        thread, el, flight = self.thread, state.el, self
        op = self.instruction(i).op
        if op == "svc" and thread.by_elr and thread.fault:
            flight = self._entered(self.window[i].code + 1, el)
            el = 1
        elif op == "svc" and thread.svc is not None:
            flight = flight._replace(rest=thread.svc + flight.rest, returns_to=el)
            el = 1
        elif op == "eret.elr":
            _, target = self._register(ELR, i)
            if type(target) is not CodeAddress:
                raise ScenarioError(f"P{self.instruction(i).number}: ERET to no instruction")
            flight = flight._replace(rest=thread.from_on(target.number))
            el = flight.returns_to
        elif op == "return":
            el = flight.returns_to
        elif op == "eret":
            target = thread.listing.eret_to
            if target is not None:
                flight = flight._replace(rest=thread.main[target:])
            el = 0
        window = with_entry(self.window, i, self.window[i]._replace(done=True))
        return flight.after(shared, state, window, el=el, **changes)

    def with_window(self, window: Window) -> Listed:
        """The same thread with another window."""
        return self._replace(window=window)

    def continued(self, shared: Shared, returned: Effect) -> Effect:
        """Listings have no ERET that returns from an exception of a program."""
        raise NotImplementedError

    def takes_exception(self, i: int) -> bool:  # noqa: ARG002
        """Whether the i-th instruction may take a fault: whatever is before it may be in flight."""
        return True

    def exception(
        self,
        shared: Shared,
        state: CpuState,
        memory: Memory,
        number: int,  # noqa: ARG002
        i: int,
        aborted: Aborted,  # noqa: ARG002
        *,
        resume: bool,  # noqa: ARG002
    ) -> Effect:
        """Commit a fault: younger instructions are dropped.

        The handler runs, or the thread ends.
        """
        thread, entry, instruction = self.thread, self.window[i], self.instruction(i)
        assert entry.fault is not None
        rest: tuple[int, ...] = ()
        el = 1
        if thread.listing.resumes == "again":
            rest, el = thread.from_on(entry.code), state.el
        elif thread.fault is not None:
            rest = thread.fault + tuple(e.code for e in self.window[i + 1 :]) + self.rest
        taken: tuple[Any, ...] = (instruction.number, entry.fault.kind)
        if instruction.address is not None:
            taken = (*taken, self.code(state, 0)[i].address)
        flight = self._entered(entry.code, state.el) if thread.by_elr else self
        flight = flight._replace(
            window=self.window[: i + entry.taken],
            rest=flight.rest if thread.by_elr else rest,
            faults=tuple(sorted({*self.faults, taken})),
            aborted=entry.fault,
            returns_to=state.el,
        ).retired(shared)
        mmu = shared.mmus.synchronised(state.mmu, memory.tables)
        return Effect(shared.cpus.change(state, flight=flight, mmu=mmu, el=el))

    def _entered(self, elr: int, el: int) -> Listed:
        """The thread with its handler next, and where it was interrupted in ELR."""
        registers = dict(self.registers) | {ELR: CodeAddress(elr)}
        return self._replace(
            rest=self.thread.fault or (),
            registers=tuple(sorted(registers.items())),
            returns_to=el,
        )


def start_thread(listing: Listing, shared: Shared) -> Listed:
    """A thread before its first step."""
    thread = Thread(listing)
    return Listed(thread, (), thread.main, tuple(sorted(listing.registers))).retired(shared)
