"""Whether somebody may wait for ever: no deadlock, for every number of CPUs.

In a state of N CPUs in which no CPU has a move, each k of the others with what they share are a
view in which none has one. But a view without moves need not be of such a state: somebody outside
may have a move. So a view is asked who *must* be there as well:

* a counter that is not what it is compared with has a witness, somebody who was not counted;
* a count that came to 0 and has not been announced has one who has to announce it;
* where a program has not finished, there is somebody whose has not.

A state without moves has all these witnesses, and up to k of them can be chosen into one view. So
if for some choice of k such facts no view without moves has witnesses of all of them, there is no
state without moves. (For fewer than k + 1 others all states are searched.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

from simbbm.explore.every_n.abstraction import BOOT, Local
from simbbm.explore.every_n.actions import ALONE
from simbbm.explore.every_n.parts import Members
from simbbm.explore.every_n.views import Views


class Fact(NamedTuple):
    """Somebody must be there."""

    said: str
    witness: Callable[[Local], bool]
    """Whether this one, who is not the boot CPU, is it."""


class Stuck(NamedTuple):
    """A view without moves, of which it is not shown that it is unreal."""

    shared: int
    members: Members
    waits: tuple[str, ...]
    """The steps in which its CPUs wait."""


def stuck(views: Views) -> Iterator[Stuck]:
    """Views of states in which nobody may have a move; none: there is no deadlock."""
    for shared in range(len(views.of)):
        for owed in (False, True):
            if found := _stuck_in(views, shared, owed=owed):
                yield found


def _stuck_in(views: Views, shared: int, *, owed: bool) -> Stuck | None:
    """A view of one shared state; `owed`: somebody has not completed a TLBI of the boot CPU."""
    actions = views.steps.actions
    if not actions.may_be_blocked(shared, ALONE, owed=owed):
        return None
    parts = views.parts
    waiting = [
        members
        for members in views.of[shared]
        if all(actions.may_be_blocked(shared, m, owed=False) for m in members)
        and (owed or not any(map(views.steps.owes, members)))
    ]
    finished = parts.shared[shared].boot.cpu.finished
    facts = list(_facts(views, shared, owed=owed))
    if not waiting or _excluded(views, waiting, facts):
        return None
    for members in waiting:
        here = [parts.locals[m] for m in members]
        if finished and all(one.cpu.finished for one in here):
            continue
        labels = (one.cpu.point.label or "finished" for one in here)
        boot = parts.shared[shared].boot.cpu.point.label or "finished"
        return Stuck(shared, members, (boot, *labels))
    return None


def _excluded(views: Views, waiting: list[Members], facts: list[Fact]) -> bool:
    """Whether some facts, at most k, have no witnesses in any of these views."""
    locals_ = views.parts.locals
    told = [
        {n for n, fact in enumerate(facts) if any(fact.witness(locals_[m]) for m in members)}
        for members in waiting
    ]
    for size in range(1, views.k + 1):
        for chosen in combinations(range(len(facts)), size):
            if not any(known.issuperset(chosen) for known in told):
                return True
    return False


def _facts(views: Views, shared: int, *, owed: bool) -> Iterator[Fact]:
    """Who must be there, beside the boot CPU."""
    part, counting = views.parts.shared[shared], views.abstraction.counting
    for c, count in enumerate(part.counts):
        name = counting.counters[c].name
        for target, holds in zip(counting.targets[c], count.answers, strict=True):
            if not holds and not counting.terms(count, target, [part.boot.shares[c]])[0]:
                yield Fact(f"{name} is not {target}", _not_counted(c, count.base[1] - target[1]))
        if count.duty and not part.boot.shares[c].duty:
            yield Fact(f"{name} has come to 0", _on_duty(c))
    if owed:
        yield Fact("a TLBI is pending", _owing)
    if part.boot.cpu.finished:
        yield Fact("not all have finished", _unfinished)


def _not_counted(c: int, everyone: int) -> Callable[[Local], bool]:
    return lambda one: one.shares[c].added + everyone != 0


def _on_duty(c: int) -> Callable[[Local], bool]:
    return lambda one: one.shares[c].duty


def _owing(one: Local) -> bool:
    return any(p.issuer == BOOT for p in one.cpu.pending_tlbis)


def _unfinished(one: Local) -> bool:
    return not one.cpu.finished
