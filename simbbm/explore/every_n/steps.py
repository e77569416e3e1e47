"""All steps of a configuration: what CPUs can do (`actions`), and what that counts (`writing`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simbbm.core.system import Problem
from simbbm.explore.every_n.abstraction import BOOT, Abstraction, Local, Shared
from simbbm.explore.every_n.actions import ALONE, Action, Actions
from simbbm.explore.every_n.fewer import Fewer
from simbbm.explore.every_n.parts import Members, Parts
from simbbm.explore.every_n.writing import Taken, Written, written


class Step(NamedTuple):
    """A step of a configuration, by the numbers of its parts."""

    action: Action
    shared: int
    members: Members
    problem: Problem | None


class Turn(NamedTuple):
    """What a step changes of what all share, and of the CPU that takes it, or that is called."""

    shared: int
    shared_after: int
    local: int
    local_after: int


class Effects(NamedTuple):
    """What such a step does to other CPUs."""

    label: str
    others: set[tuple[int, int]]


class Steps:
    """The steps of configurations."""

    def __init__(self, abstraction: Abstraction, parts: Parts, actions: Actions) -> None:
        self.abstraction = abstraction
        self.parts = parts
        self.actions = actions
        self.fewer = Fewer(actions)
        self._owes: dict[int, bool] = {}
        self.turns: dict[Turn, Effects] = {}
        """Steps that store to counters."""

    def owes(self, member: int) -> bool:
        """Whether a CPU has not completed a TLBI of the boot CPU."""
        known = self._owes.get(member)
        if known is None:
            pending = self.parts.locals[member].cpu.pending_tlbis
            known = self._owes[member] = any(p.issuer == BOOT for p in pending)
        return known

    def of(self, shared: int, members: Members) -> Iterator[Step]:
        """All steps that are enough; of CPUs in the same local state, those of one."""
        owed = any(map(self.owes, members))
        for n, local in enumerate((ALONE, *members)):
            if n > 1 and local == members[n - 2]:
                continue
            others = members if local == ALONE else (*members[: n - 1], *members[n:])
            for action in self._actions(shared, local, owed=owed):
                action.taken = True
                if action.counts:
                    yield from self._counted(action, others)
                else:
                    after = [action.other_number(other) for other in others]
                    if local != ALONE:
                        after.append(action.own_number())
                    after.sort()
                    yield Step(action, action.shared_number(), tuple(after), action.problem)

    def _actions(self, shared: int, local: int, *, owed: bool) -> list[Action]:
        if local == ALONE:
            return self.fewer.of_boot(shared, owed=owed)
        return self.actions.of(shared, local, owed=owed)

    def _keep(self, turn: Turn, action: Action, pairs: list[tuple[int, int]]) -> None:
        """Keep what a step does, under the CPU that is counted, or called, by it."""
        known = self.turns.setdefault(turn, Effects(action.move.label, set()))
        known.others.update(pairs)

    def _counted(self, action: Action, others: Members) -> Iterator[Step]:
        """A step that stores to a counter."""
        before = self.parts.shared[action.shared]
        alone = action.local == ALONE
        members = others if alone else (action.local, *others)
        rest = [self.parts.locals[member].shares for member in members]
        local = before.boot if alone else self.parts.locals[action.local]
        taken = Taken(BOOT if alone else 1, local, action.move, action.world)
        first = Written(before.counts, (before.boot.shares, *rest))
        for result in written(self.abstraction, first, taken):
            boot = action.boot()._replace(shares=result.shares[0])
            if result.batch_left:
                buffer = before.boot.cpu.buffer
                cpu = self.abstraction.system.shared.cpus.change(boot.cpu, buffer=buffer)
                boot = boot._replace(cpu=cpu)
            self.abstraction.require_known(boot.cpu)
            after: list[Local] = [] if alone else [action.own()]
            after += [action.other(other) for other in others]
            shares = result.shares[1:]
            seated = [
                one._replace(shares=s).changed(result.stored)
                for one, s in zip(after, shares, strict=True)
            ]
            self.abstraction.counting.require_one_sign(result.counts, result.shares)
            shared = Shared(action.memory, boot.changed(result.stored), result.counts)
            number = self.parts.shared_number(shared)
            numbers = [self.parts.local_number(one) for one in seated]
            pairs = list(zip(members, numbers, strict=True))
            if result.called is None:
                own = (ALONE, ALONE) if alone else pairs.pop(0)
                self._keep(Turn(action.shared, number, *own), action, pairs)
            elif result.called != BOOT:
                own = pairs.pop(result.called - 1)
                self._keep(Turn(action.shared, number, *own), action, pairs)
            yield Step(action, number, tuple(sorted(numbers)), action.problem)
