"""What one CPU can do in a shared state, and what it does to each other CPU: asked once.

The machine is given the boot CPU, the CPU that moves, and one other at a time: what a move does to
a CPU depends on no third one (`Arm64.apply` goes CPU by CPU). Before a step that reads a counter,
memory holds what that CPU can learn in its place (`reading`), once for each way it can be.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.state import Machine
from simbbm.core.programs.symbols import Batch, OwnNumber, asked, compared, refusals
from simbbm.core.system import STEP, Move, Problem
from simbbm.core.unknown import NeedsValueError
from simbbm.explore.every_n.abstraction import BOOT, FIRST, Abstraction, Local, Shared
from simbbm.explore.every_n.counting import Refused
from simbbm.explore.every_n.parts import Parts
from simbbm.explore.every_n.reading import STORES, Guesses, Reading, World

OWN_NUMBER = "mrs.mpidr_el1"
ALONE = -1
"""In place of a local state: the boot CPU itself moves."""


class NotAnswered(Exception):
    """A program compared a counter with something that it has not been compared with before."""


class Action:
    """One move of one CPU in a shared state."""

    def __init__(
        self, actions: Actions, shared: int, local: int, move: Move, world: World, there: Machine
    ) -> None:
        self.actions = actions
        self.shared, self.local = shared, local
        self.move, self.world = move, world
        self._there = there
        """The state that it is a move of: the boot CPU, and the one that moves."""
        effect = move.effect
        assert isinstance(effect, Effect)
        after = actions.abstraction.system.apply(there, move)
        self.problem: Problem | None = after.failure or actions.abstraction.system.problem(after)
        self.memory = actions.abstraction.held(after.memory)
        if after.memory.tables is not there.memory.tables and _is_calling(there.cpus[BOOT]):
            raise Refused(
                f"{move.label}: tables change while CPUs are called, of which not every turn of "
                "the loop may know (call all of them before)"
            )
        self.cpus = after.cpus
        """The boot CPU, and the one that moves, afterwards."""
        self.counts = effect.write is not None and actions.concerns_counters(*effect.write)
        """Whether it may change what is known of counters."""
        self.armed = self._armed()
        own = actions.mover(shared, local)
        if self.armed in actions.reading.kept and world.loaded:
            own = own.loaded(world.c, self.armed)
        self.fresh = own.fresh
        self.taken = False
        """Whether it is among the moves that are enough (`fewer`)."""
        self._others: dict[int, Local] = {}
        self._numbers: dict[int, int] = {}
        self._shared_after = -1
        self._own_after = -1

    def _armed(self) -> str:
        """What the CPU that moves has just loaded."""
        before = self.actions.mover(self.shared, self.local)
        own = self.cpus[-1 if self.local != ALONE else BOOT]
        if self.move.kind != STEP or own.point is before.cpu.point:
            return before.armed
        return before.cpu.point.full_label if self.world.loaded else ""

    def other(self, number: int) -> Local:
        """What becomes of another CPU, in this local state, its shares left as they are."""
        after = self._others.get(number)
        if after is None:
            abstraction = self.actions.abstraction
            before = self.actions.parts.locals[number]
            seat = len(self._there.cpus)
            cpu = abstraction.numbered(before.cpu, seat, FIRST)
            there = self._there._replace(cpus=(*self._there.cpus, cpu))
            machine = abstraction.system.apply(there, self.move)
            if problem := machine.failure or abstraction.system.problem(machine):
                self.problem = self.problem or problem
            after = abstraction.kept(before._replace(cpu=machine.cpus[-1]), seat)
            self._others[number] = after
        return after

    def other_number(self, number: int) -> int:
        """The same by number."""
        after = self._numbers.get(number)
        if after is None:
            after = self._numbers[number] = self.actions.parts.local_number(self.other(number))
        return after

    def others(self) -> set[tuple[int, int]]:
        """What it does to other CPUs, as far as that was asked for."""
        return set(self._numbers.items())

    def boot(self) -> Local:
        """The boot CPU afterwards, its shares left as they are."""
        boot = self.actions.parts.shared[self.shared].boot
        if self.local == ALONE:
            boot = boot._replace(armed=self.armed, fresh=self.fresh)
        self.actions.abstraction.require_known(self.cpus[BOOT])
        return boot._replace(cpu=self.cpus[BOOT])

    def own(self) -> Local:
        """Another CPU that moves, afterwards, its shares left as they are."""
        before = self.actions.parts.locals[self.local]
        after = before._replace(cpu=self.cpus[FIRST], armed=self.armed, fresh=self.fresh)
        return self.actions.abstraction.kept(after, FIRST)

    def shared_number(self) -> int:
        """The shared state afterwards, if nothing is counted."""
        if self._shared_after < 0:
            counts = self.actions.parts.shared[self.shared].counts
            shared = Shared(self.memory, self.boot(), counts)
            self._shared_after = self.actions.parts.shared_number(shared)
        return self._shared_after

    def own_number(self) -> int:
        """The local state of the CPU that moves, afterwards, if nothing is counted."""
        if self._own_after < 0:
            self._own_after = self.actions.parts.local_number(self.own())
        return self._own_after


class Actions:
    """What CPUs can do, remembered."""

    def __init__(self, abstraction: Abstraction, parts: Parts, guesses: Guesses) -> None:
        self.abstraction = abstraction
        self.parts = parts
        self.reading = Reading(abstraction, guesses)
        self._known: dict[tuple[int, int, bool], list[Action]] = {}
        self._goes_on: dict[tuple[int, int, bool], list[bool]] = {}
        """Of each way in which what is read may be: whether the program has a move."""

    def of(self, shared: int, local: int, *, owed: bool) -> list[Action]:
        """The moves of a CPU, of the boot CPU if `local` is ALONE.

        `owed`: others have not completed a TLBI of the boot CPU.
        """
        k = shared, local, owed
        known = self._known.get(k)
        if known is None:
            self._goes_on[k] = []
            known = self._known[k] = list(self._asked(*k))
        return known

    def may_be_blocked(self, shared: int, local: int, *, owed: bool) -> bool:
        """Whether there may be no move that happens some time, in one of the ways that things are.

        A CPU that has finished has none.
        """
        moves = self.of(shared, local, owed=owed)
        if any(a.move.kind != STEP and not a.move.optional for a in moves):
            return False
        return not all(self._goes_on[shared, local, owed])

    def each(self) -> Iterator[Action]:
        """All that were taken."""
        for known in self._known.values():
            yield from (action for action in known if action.taken)

    def mover(self, shared: int, local: int) -> Local:
        """The CPU that moves."""
        return self.parts.shared[shared].boot if local == ALONE else (
            self.parts.locals[local]
        )  # fmt: skip

    def concerns_counters(self, address: int, words: tuple[object, ...]) -> bool:
        """Whether a store goes to a counter, or to what announces one, or has a symbol in it."""
        counting = self.abstraction.counting
        of_counters = (*counting.addresses, *(c.announces for c in counting.counters))
        return any(a is not None and 0 <= a - address < len(words) for a in of_counters) or any(
            getattr(type(word), "is_symbol", False) for word in words
        )

    def _asked(self, shared: int, local: int, owed: bool) -> Iterator[Action]:  # noqa: FBT001
        own = self.mover(shared, local)
        part = self.parts.shared[shared]
        cpus = (part.boot.cpu,) if local == ALONE else (part.boot.cpu, own.cpu)
        state, number = Machine(part.memory, cpus), len(cpus) - 1
        self._require_no_tlbi_in_batch(part)
        for n, world in enumerate(self.reading.worlds(part.counts, own, state, number)):
            there = state
            if world.memory:
                memory = self.abstraction.holding(state.memory, world.memory)
                there = state._replace(memory=memory)
            moves = self._moves(there, number, owed and number == BOOT)
            goes_on = any(move.kind == STEP and not move.optional for move in moves)
            self._goes_on[shared, local, owed].append(goes_on)
            for move in moves:
                if move.kind != STEP and n:
                    continue
                taken = self._allowed(own.cpu, number, move, world, part)
                yield Action(self, shared, local, taken, world, there)

    def _moves(self, state: Machine, number: int, owed: bool) -> tuple[Move, ...]:  # noqa: FBT001
        """Ask the machine. What a program asked of counters in vain is kept, and asked anew."""
        try:
            own, system = state.cpus[number], self.abstraction.system
            moves = system.moves_of(own, state.memory, number, owed=owed)
        except NeedsValueError:
            moves = ()
        if refusals:
            raise Refused(refusals[0])
        if asked or compared:
            raise NotAnswered
        return moves

    def _allowed(
        self, own: CpuState, number: int, move: Move, world: World, shared: Shared
    ) -> Move:
        """A move, if a proof can have it; of a CPU that reads its number it learns less."""
        effect, op = move.effect, own.point.op
        assert isinstance(effect, Effect)
        if number != BOOT and effect.tlbi and effect.tlbi.broadcast:
            raise Refused(
                f"{own.point.label}: a broadcast TLBI of another CPU than the boot CPU (a proof "
                "for every number of CPUs needs it local)"
            )
        if effect.signal:
            raise Refused(f"{own.point.label}: CPUs that interrupt others (take few CPUs)")
        if move.kind != STEP or op is None:
            return move
        if op.mnemonic in STORES and type(op.args[1]) is Batch:
            self._require_loaded_before(own, number, op.args[1], world, shared)
        if number != BOOT and op.mnemonic == OWN_NUMBER:
            return self._without_number(own, move)
        return move

    def _without_number(self, before: CpuState, move: Move) -> Move:
        """The same step, of a CPU that has learnt of its number only that it is not 0."""
        effect = move.effect
        assert isinstance(effect, Effect)
        try:
            point = before.point.after(OwnNumber())
        except NeedsValueError:
            raise Refused(refusals[0] if refusals else "a CPU looks at its number") from None
        if refusals:
            raise Refused(refusals[0])
        cpu = self.abstraction.system.shared.cpus.change(effect.after, point=point)
        return move._replace(effect=effect._replace(after=cpu))

    def _require_loaded_before(
        self, own: CpuState, number: int, batch: Batch, world: World, shared: Shared
    ) -> None:
        """Refuse a loop of stores whose first value was not loaded just before it."""
        counting = self.abstraction.counting
        c = counting.named(batch.counter)
        fits = world.c == c and shared.boot.armed == batch.at and counting.calls(c)
        if number != BOOT or not fits:
            raise Refused(
                f"{own.point.where}: a loop over each_other() stores to {batch.counter} (it calls "
                "the holders of tickets: declare that, and let the boot CPU load it just before)"
            )

    def _require_no_tlbi_in_batch(self, shared: Shared) -> None:
        """Refuse TLBIs that might wait for some stores of a loop, and not for others."""
        cpu = shared.boot.cpu
        if cpu.pending_tlbis and _is_calling(cpu):
            raise Refused(f"{cpu.point.label}: a TLBI while CPUs are called (wait for a DSB)")


def _is_calling(boot: CpuState) -> bool:
    """Whether stores of a loop over each_other() are pending, or are yet to be made."""
    words: Iterator[object] = (word for store in boot.buffer.stores for word in store.words)
    return any(type(word) is Batch for word in words)
