"""A listing under way: which instructions are in flight, and what is known of each.

Instructions are fetched in program order into a window and leave it in program order once they are
done. Nothing is fetched beyond a context synchronisation event (ISB, SVC, ERET) that has not
happened: what lies behind it is not translated and not performed before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.listing import Constant, IfEqual, IfFault, Instruction, Listing, Reg
from simbbm.arm64.tlb import LeafEntry
from simbbm.arm64.walks import Fault

MEMORY = -1
"""Source of a load that was not forwarded from an own store."""

LOADS = ("ld", "ld.acq", "ld.acqpc")
STORES = ("st", "st.rel")
SYNCHRONISING = ("isb", "svc", "eret", "return")
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

    def fetched(self, code: int) -> InFlight:
        """Return the entry of an instruction of which nothing has happened yet."""
        place = self.code[code].place
        return InFlight(code, page=0 if place is not None and place.physical else None)


class InFlight(NamedTuple):
    """One instruction in the window."""

    code: int
    page: int | None = None
    """Output page, once translated; 0 for an access to a physical word."""
    entry: LeafEntry | None = None
    fault: Fault | None = None
    done: bool = False
    value: Any = None
    """What a load read."""
    source: int = MEMORY
    """Position in the window of the store that a load was forwarded from."""
    superseded: bool = False
    """Another CPU has written the word since the load read it from memory."""

    @property
    def translated(self) -> bool:
        """Whether the access has a translation that is not a fault."""
        return self.page is not None


class Flight(NamedTuple):
    """The state of a thread."""

    thread: Thread
    window: tuple[InFlight, ...]
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
    def finished(self) -> bool:
        """Whether every instruction is done."""
        return not self.window and not self.rest

    def instruction(self, i: int) -> Instruction:
        """The i-th instruction in the window."""
        return self.thread.code[self.window[i].code]

    def with_entry(self, i: int, entry: InFlight) -> Flight:
        """Change one instruction's entry."""
        return self._replace(window=(*self.window[:i], entry, *self.window[i + 1 :]))

    def register(self, number: int, before: int) -> tuple[bool, Any]:
        """Whether a register's value is known to the instruction at position `before`, and it."""
        for i in range(before - 1, -1, -1):
            if self.instruction(i).destination == number:
                return self.result(i)
        return True, dict(self.registers).get(number, 0)

    def result(self, i: int) -> tuple[bool, Any]:
        """Whether the value that an instruction writes to its register is known, and it."""
        instruction = self.instruction(i)
        if instruction.op != "mov":
            return self.window[i].done, self.window[i].value
        assert instruction.value is not None
        return self.evaluate(instruction.value, i)

    def evaluate(self, value: Constant | Reg | IfFault | IfEqual, at: int) -> tuple[bool, Any]:
        """Whether a value is known to the instruction at position `at`, and it."""
        if isinstance(value, Reg):
            return self.register(value.number, at)
        if isinstance(value, IfEqual):
            known, found = self.register(value.register, at)
            return known, int(found == value.value)
        if isinstance(value, IfFault):
            assert self.aborted is not None
            met = getattr(self.aborted, value.field) == value.equals
            return True, value.then if met else value.otherwise
        return True, value

    def known(self, registers: tuple[int, ...], at: int) -> bool:
        """Whether all these registers are known to the instruction at position `at`."""
        return all(self.register(number, at)[0] for number in registers)

    def retired(self, size: int, stops: tuple[str, ...] = SYNCHRONISING) -> Flight:
        """Let finished instructions leave the window, and fetch up to `size`.

        Nothing is fetched beyond an instruction of `stops` that has not happened.
        """
        flight = self
        while flight.window and flight.can_leave():
            flight = flight.leave()
        window, rest = list(flight.window), flight.rest
        while rest and len(window) < size:
            last = window[-1] if window else None
            if last and not last.done and flight.thread.code[last.code].op in stops:
                break
            op = flight.thread.code[rest[0]].op
            if op == "stop":
                rest = ()
                break
            window.append(flight.thread.fetched(rest[0]))
            rest = rest[1:]
        after = flight._replace(window=tuple(window), rest=rest)
        return after.retired(size, stops) if after.window and after.can_leave() else after

    def overtaken(self, word: int, count: int, page_words: int) -> Flight:
        """Return the flight after another CPU wrote `count` words.

        Loads that read them from memory are superseded.
        """
        window = []
        for i, entry in enumerate(self.window):
            place = self.instruction(i).place
            if entry.done and entry.page is not None and entry.source == MEMORY and place:
                offset = place.address % page_words
                at = place.address if place.physical else entry.page * page_words + offset
                if word <= at < word + count:
                    window.append(entry._replace(superseded=True))
                    continue
            window.append(entry)
        return self._replace(window=tuple(window))

    def can_leave(self) -> bool:
        """Whether the oldest instruction is done; a barrier or move there needs nothing else."""
        op = self.instruction(0).op
        return self.window[0].done or op in ("mov", "ctrl", "dmb")

    def leave(self) -> Flight:
        """Let the oldest instruction go, and keep what it wrote to its register."""
        registers = self.registers
        destination = self.instruction(0).destination
        if destination is not None:
            values = dict(registers) | {destination: self.result(0)[1]}
            registers = tuple(sorted(values.items()))
        window = tuple(
            entry._replace(source=max(entry.source - 1, MEMORY)) for entry in self.window[1:]
        )
        return self._replace(window=window, registers=registers)


def takeoff(listing: Listing, size: int) -> Flight:
    """A thread before its first step."""
    thread = Thread(listing)
    return Flight(thread, (), thread.main, tuple(sorted(listing.registers))).retired(size)
