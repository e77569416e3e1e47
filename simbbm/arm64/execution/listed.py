"""The state of a listing: a source whose instructions are known in advance.

Instructions are fetched in program order into a window and leave it in program order once they are
done. A fault drops what is younger, and the handler's instructions follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.execution.flight import InFlight, Window, shifted, with_entry
from simbbm.arm64.execution.instructions import LISTED, Decoded
from simbbm.arm64.execution.listing import Constant, IfEqual, IfFault, Instruction, Listing, Reg
from simbbm.arm64.translation.walks import Fault

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
        self.fault = self._append(listing.fault)
        self.svc = self._append(listing.svc)

    def _append(self, handler: tuple[Instruction, ...] | None) -> tuple[int, ...] | None:
        """Number a handler's instructions; it ends with a return, unless it stops the thread."""
        if handler is None:
            return None
        start = len(self.code)
        self.code += [*handler, _RETURN]
        return tuple(range(start, len(self.code)))


class Listed(NamedTuple):
    """The state of a thread."""

    thread: Thread
    window: Window
    rest: tuple[int, ...]
    """Numbers of the instructions that are still to be fetched."""
    registers: tuple[tuple[int, Any], ...]
    faults: tuple[tuple[int, str], ...] = ()
    """Index and kind of every fault taken."""
    aborted: Fault | None = None
    """The fault that the handler looks at."""
    returns_to: int = 0
    """Exception level that the next return restores."""

    @property
    def split(self) -> bool:
        """Accesses are translated first, and performed later."""
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
        place = instruction.place
        addressed = self._known(instruction.address_from, i)
        return Decoded(
            LISTED[instruction.op],
            instruction.op,
            instruction.option,
            f"{self.window[i].code}.{instruction.op}",
            f"P{number} op {instruction.number}",
            addressed,
            place.address if place else 0,
            bool(place and place.physical),
            self._operands(instruction, i) if addressed else None,
        )

    def _operands(self, instruction: Instruction, i: int) -> tuple[Any, ...] | None:
        if instruction.tlbi is not None:
            return (instruction.tlbi,)
        if not self._known(instruction.data_from, i):
            return None
        if instruction.value is None or instruction.op == "mov":
            return ()
        known, value = self._evaluate(instruction.value, i)
        return (value,) if known else None

    def _register(self, number: int, before: int) -> tuple[bool, Any]:
        """Whether a register's value is known to the instruction at position `before`, and it."""
        for i in range(before - 1, -1, -1):
            if self.instruction(i).destination == number:
                return self._result(i)
        return True, dict(self.registers).get(number, 0)

    def _result(self, i: int) -> tuple[bool, Any]:
        """Whether the value that an instruction writes to its register is known, and it."""
        instruction = self.instruction(i)
        if instruction.op != "mov":
            return self.window[i].done, self.window[i].value
        assert instruction.value is not None
        return self._evaluate(instruction.value, i)

    def _evaluate(self, value: Constant | Reg | IfFault | IfEqual, at: int) -> tuple[bool, Any]:
        """Whether a value is known to the instruction at position `at`, and it."""
        if isinstance(value, Reg):
            return self._register(value.number, at)
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
        size, ignored = shared.hardware.window, "isb" if shared.ablated("isb") else ""
        flight = self._left()
        window, rest = list(flight.window), flight.rest
        while rest and len(window) < size:
            last = flight.thread.code[window[-1].code].op if window else ""
            if last and LISTED[last].stops and last != ignored and not window[-1].done:
                break
            if flight.thread.code[rest[0]].op == "stop":
                rest = ()
                break
            window.append(InFlight(rest[0]))
            rest = rest[1:]
        after = flight._replace(window=tuple(window), rest=rest)
        return after.retired(shared) if after.oldest_can_leave() else after

    def _left(self) -> Listed:
        """The thread without its oldest instructions, as far as they can be retired."""
        flight = self
        while flight.oldest_can_leave():
            flight = flight.retire_oldest()
        return flight

    def oldest_can_leave(self) -> bool:
        """Whether the oldest instruction can be retired: it is done, or has no move of its own."""
        return bool(self.window) and (self.window[0].done or LISTED[self.instruction(0).op].silent)

    def retire_oldest(self) -> Listed:
        """Retire the oldest instruction, and keep the value of its register."""
        registers = self.registers
        destination = self.instruction(0).destination
        if destination is not None:
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
        if op == "svc" and thread.svc is not None:
            flight = flight._replace(rest=thread.svc + flight.rest, returns_to=el)
            el = 1
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
        thread, entry = self.thread, self.window[i]
        assert entry.fault is not None
        rest: tuple[int, ...] = ()
        if thread.fault is not None:
            rest = thread.fault + tuple(e.code for e in self.window[i + 1 :]) + self.rest
        taken = (self.instruction(i).number, entry.fault.kind)
        flight = self._replace(
            window=self.window[:i],
            rest=rest,
            faults=tuple(sorted({*self.faults, taken})),
            aborted=entry.fault,
            returns_to=state.el,
        ).retired(shared)
        mmu = shared.mmus.synchronised(state.mmu, memory.tables)
        return Effect(shared.cpus.change(state, flight=flight, mmu=mmu, el=1))


def start_thread(listing: Listing, shared: Shared) -> Listed:
    """A thread before its first step."""
    thread = Thread(listing)
    return Listed(thread, (), thread.main, tuple(sorted(listing.registers))).retired(shared)
