"""Checks a certificate: whether what it names is an inductive invariant that nothing is wrong with.

1. The initial state's views are in it.
2. From every configuration of k + 1 local states, each k of which it has as views, every step of
   the machine leads to configurations all of whose views it has; and it needs no view that no step
   leads to.
3. In none of them a property fails; nor where all programs have finished.
4. None is of a state in which everybody waits (`_waiting`).
5. Machines of 2, 3, ... k + 1 CPUs are searched, state by state (`few`).
6. If it has ranks: every run ends (`ending`), on few CPUs because no state is come back to.

It may take one order of the boot CPU's stores, and of its TLBIs, for all. Then nobody can tell
these orders apart (`orders`).

What is assumed: `simbbm guide every_n`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory, Unreadable
from simbbm.core.programs.symbols import RefusedError, asked, compared, refusals
from simbbm.explore.certificate.counted import Counters, Fault
from simbbm.explore.certificate.ending import ALONE, Moved, require_end, require_named
from simbbm.explore.certificate.few import search
from simbbm.explore.certificate.file import Certificate, Part
from simbbm.explore.certificate.machine import Steps
from simbbm.explore.certificate.states import BOOT, OTHER, Local, Shared
from simbbm.explore.every_n.counting import Refused
from simbbm.explore.every_n.setting import model_for_all
from simbbm.explore.every_n.unseen import refusal
from simbbm.model import Model
from simbbm.scenario import Scenario

Members = tuple[int, ...]


class Checked(NamedTuple):
    """What was checked, or what is wrong."""

    fault: str
    views: int = 0
    steps: int = 0
    few: tuple[int, ...] = ()
    """States of 2, 3, ... CPUs."""
    ends: bool = False
    """Every run ends."""


def verify(
    certificate: Certificate, scenario: Scenario, tell: Callable[[int], object] = lambda _: None
) -> Checked:
    """Check a certificate of a scenario."""
    asked.clear()
    compared.clear()
    refusals.clear()
    try:
        model = model_for_all(scenario, certificate.params, certificate.k)
        checker = _Checker(model, certificate, tell)
        checker.check()
        few = [
            search(
                Model(scenario, {**certificate.params, "cpus": cpus}),
                reduced=certificate.orders is not None,
            )
            for cpus in range(2, certificate.k + 2)
        ]
    except (Fault, Refused, RefusedError) as fault:
        return Checked(str(fault))
    states = tuple(found.states for found in few)
    ends = certificate.levels is not None and all(found.ends for found in few)
    return Checked("", len(certificate.views), checker.steps_taken, states, ends)


class _Checker:
    def __init__(
        self, model: Model, certificate: Certificate, tell: Callable[[int], object]
    ) -> None:
        self.k, self.certificate, self.tell = certificate.k, certificate, tell
        self.steps_taken = 0
        at = tuple(sorted(model.setup.counters))
        declared = tuple(model.setup.counters[a] for a in at)
        if {d.name for d in declared} != certificate.targets.keys():
            raise Fault("its counters are not those of the scenario")
        targets = tuple(tuple(map(tuple, certificate.targets[d.name])) for d in declared)
        for d, known in zip(declared, targets, strict=True):
            if len({*known}) < len(known) or (d.announces is not None and (0, 0) not in known):
                raise Fault(f"{d.name}: a target twice, or not 0, which is announced")
            if d.calls is not None and known:
                raise Fault(f"{d.name}: a target of what calls CPUs")
        self.counters = Counters(at, declared, targets, self.k + 2)  # type: ignore[arg-type]
        self.system = model.system
        reduced = certificate.orders is not None
        self.steps = Steps(self.system, self.counters, certificate.readings, reduced=reduced)
        if reduced and not self.system.judged.monotone:
            raise Fault("several TLBIs are taken for one, which a property may tell apart")
        self.shared: list[Shared] = []
        self.locals: list[Local] = []
        self.views: list[set[Members]] = [set() for _ in certificate.shared]
        self._read_views()

    def _read_views(self) -> None:
        for shared, *members in self.certificate.views:
            known = tuple(members)
            fits = len(known) == self.k and known == tuple(sorted(known))
            if not fits or shared >= len(self.views) or known[-1] >= len(self.certificate.locals):
                raise Fault("a view is not one of the states that it names")
            if known in self.views[shared]:
                raise Fault("a view is named twice")
            self.views[shared].add(known)

    def check(self) -> None:
        """Raise Fault where something is wrong."""
        self._rebuild()
        self._number = {one: n for n, one in enumerate(self.locals)}
        self._shared_number = {one: n for n, one in enumerate(self.shared)}
        self._take_alone()
        reached: set[tuple[int, Members]] = set()
        self._require(*self.steps.initial(), reached)
        for shared, views in enumerate(self.views):
            for members in self._gluings(views):
                others = [self.locals[m] for m in members]
                for after, cpus in self.steps.of(self.shared[shared], others):
                    self._require(after, cpus, reached)
                    self.steps_taken += 1
                    if self.steps_taken % 10_000 == 0:
                        self.tell(self.steps_taken)
        if len(reached) < sum(map(len, self.views)):
            raise Fault(f"{sum(map(len, self.views)) - len(reached)} views that no step leads to")
        for shared in range(len(self.shared)):
            self._check_end(shared)
            for owed in (False, True):
                self._check_waiting(shared, owed=owed)
        if self.certificate.levels is not None:
            require_named(self.certificate.levels, len(self.shared), len(self.locals))
            require_end(self.certificate.levels, self._moved())
        self.system.recheck()
        if why := refusal(self.system.spec.automaton):
            raise Fault(why)

    def _take_alone(self) -> None:
        """Where one move of the boot CPU is said to be enough, it has to be."""
        for shared, owed in self.certificate.orders or ():
            if shared >= len(self.shared):
                raise Fault("an order in no shared state")
            near = sorted({m for members in self.views[shared] for m in members})
            self.steps.take_alone(self.shared[shared], [self.locals[m] for m in near], owed=owed)

    def _moved(self) -> Iterator[Moved]:
        """Every step that was taken, by numbers."""
        number: dict[Local | None, int] = {one: n for n, one in enumerate(self.locals)}
        number[None] = ALONE
        shared = self._shared_number
        try:
            for turn, others in self.steps.moved():
                pairs = tuple((number[one], number[two]) for one, two in others)
                own = number[turn.own], number[turn.own_after]
                yield Moved(shared[turn.shared], shared[turn.after], *own, pairs)
        except KeyError:
            raise Fault("a step leads out of it, to a state that it does not name") from None

    def _rebuild(self) -> None:
        """The states that the certificate names, by the steps that it names."""
        wanted = {
            True: self._places(self.certificate.shared),
            False: self._places(self.certificate.locals),
        }
        found: dict[tuple[bool, int], Shared | Local] = {}
        shared, others = self.steps.initial()
        start: dict[str, Shared | Local] = _by_digest([shared, *others])
        made: dict[tuple[int, ...], dict[str, Shared | Local]] = {(): start}
        for is_shared, n in self.certificate.met:
            parts = self.certificate.shared if is_shared else self.certificate.locals
            if n >= len(parts) or (is_shared, n) in found:
                raise Fault("a state is got at twice, or not named")
            part = parts[n]
            if part.origin not in made:
                g, *members = part.origin
                try:
                    here, there = found[True, g], [found[False, m] for m in members]
                except KeyError:
                    raise Fault("a state is got at from one that is not there yet") from None
                made[part.origin] = self._led_to(here, there)  # type: ignore[arg-type]
            one = made[part.origin].get(part.digest)
            if one is None or isinstance(one, Shared) is not is_shared:
                raise Fault(f"no step leads to the state {part.digest}")
            found[is_shared, n] = one
        if len(found) < len(wanted[True]) + len(wanted[False]):
            raise Fault("a state is named that is never got at")
        self.shared = [found[True, n] for n in range(len(wanted[True]))]  # type: ignore[misc]
        self.locals = [found[False, n] for n in range(len(wanted[False]))]  # type: ignore[misc]

    def _places(self, parts: list[Part]) -> dict[str, int]:
        places = {part.digest: n for n, part in enumerate(parts)}
        if len(places) < len(parts):
            raise Fault("a state is named twice")
        return places

    def _led_to(self, shared: Shared, others: list[Local]) -> dict[str, Shared | Local]:
        every: dict[Shared | Local, None] = {}
        for after, cpus in self.steps.of(shared, others, every=True):
            every[after] = None
            every.update(dict.fromkeys(cpus))
        return _by_digest(every)

    def _gluings(self, views: set[Members]) -> Iterator[Members]:
        """Sets of k + 1 local states, each k of which are a view."""
        near = sorted({m for members in views for m in members})
        for members in sorted(views):
            for other in near:
                glued = (*members, other)
                if other >= members[-1] and views.issuperset(combinations(glued, self.k)):
                    yield glued

    def _require(
        self, shared: Shared, others: list[Local], reached: set[tuple[int, Members]]
    ) -> None:
        """Raise Fault unless all views of a configuration are in the certificate."""
        g = self._shared_number.get(shared)
        members = sorted(self._number.get(one, -1) for one in others)
        if g is None or members[0] < 0:
            raise Fault("a step leads out of it, to a state that it does not name")
        for view in combinations(members, self.k):
            if view not in self.views[g]:
                raise Fault("a step leads out of it, to a view that it does not name")
            reached.add((g, view))

    def _check_end(self, shared: int) -> None:
        """What is promised of the end."""
        here = self.shared[shared]
        memory = Memory(here.memory.tables, Unreadable())
        for members in self.views[shared] if here.boot.cpu.finished else ():
            cpus = [self.locals[m].cpu for m in members]
            if all(cpu.finished for cpu in cpus):
                others = (self.steps.seated(c, OTHER, n) for n, c in enumerate(cpus, OTHER))
                problem = self.system.final_problem(Machine(memory, (here.boot.cpu, *others)))
                if problem:
                    raise Fault(f"a bad view of the end: {problem.message}")

    def _check_waiting(self, shared: int, *, owed: bool) -> None:
        """No view is of a state in which nobody has a move that is due.

        Such a state has somebody for each of the reasons why it goes on to wait; k of these, if
        not all, can be chosen into one view.
        """
        here = self.shared[shared]
        if not self.steps.acts(here, None, owed=owed)[1]:
            return
        waiting = []
        for members in self.views[shared]:
            others = [self.locals[m] for m in members]
            owing = any(p.issuer == BOOT for one in others for p in one.cpu.pending_tlbis)
            still = all(self.steps.acts(here, one, owed=False)[1] for one in others)
            if still and (owed or not owing):
                waiting.append(others)
        reasons = list(self._reasons(here, owed=owed))
        for number in range(1, self.k + 1):
            for chosen in combinations(reasons, number):
                if not any(all(any(map(r, w)) for r in chosen) for w in waiting):
                    return
        if waiting:
            told = ", ".join(one.cpu.point.label or "an end" for one in waiting[0])
            raise Fault(f"everybody may wait: {here.boot.cpu.point.label}, {told}")

    def _reasons(self, here: Shared, *, owed: bool) -> Iterator[Callable[[Local], bool]]:
        """Who must be there besides the boot CPU, in a state in which everybody waits."""
        boot = here.boot
        for c, count in enumerate(here.counts):
            for t, holds in enumerate(count.answers):
                lacks = self.counters.distance(c, count, t, [boot.history[c].added, 0])
                if not holds and lacks[0] == 0:
                    yield lambda one, c=c, each=lacks[1]: one.history[c].added + each != 0  # type: ignore[misc]
            if count.duty and not boot.history[c].duty:
                yield lambda one, c=c: one.history[c].duty  # type: ignore[misc]
        if owed:
            yield lambda one: any(p.issuer == BOOT for p in one.cpu.pending_tlbis)
        if boot.cpu.finished:
            yield lambda one: not one.cpu.finished


def _by_digest(parts: Iterable[Shared | Local]) -> dict[str, Shared | Local]:
    return {part.digest(): part for part in parts}
