"""Who has been counted: the checker's own account of counters.

The value of a counter is `base` plus what every CPU added. Its distance from a target is a sum over
CPUs: of the boot CPU base - target + N's part + added, of the others N's part + added. The checker
wants these to be of one sign in all that it looks at. Then the counter is at its target if and only
if all are 0, and what others may add to that can be anything that is so far away or 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from simbbm.core.programs.everyone import Counter
from simbbm.core.programs.symbols import Added, Batch, Linear, Seen

MOST = 3
"""What the checker follows of one CPU's counting, and of calls."""


class Fault(Exception):
    """The certificate does not hold, or has something in it that the checker does not know."""


class Count(NamedTuple):
    """Of one counter, what all share. Names of records and fields are part of digests."""

    base: tuple[int, int]
    answers: tuple[bool, ...]
    duty: tuple[int, ...] = ()
    batches: int = 0


class Share(NamedTuple):
    """Of one counter, what one CPU has done."""

    added: int = 0
    duty: bool = False
    called: int = 0
    ticket: str = ""


History = tuple[Share, ...]


class World(NamedTuple):
    """What a CPU may find in a counter, and what is to hold once it has added to it."""

    value: Any = None
    counter: int = -1
    answers: tuple[bool, ...] = ()
    loaded: bool = False


class Counters(NamedTuple):
    """The counters of a scenario."""

    at: tuple[int, ...]
    declared: tuple[Counter, ...]
    targets: tuple[tuple[tuple[int, int], ...], ...]
    fewest: int

    def distance(self, c: int, count: Count, t: int, adds: list[int]) -> list[int]:
        """By CPU, the boot CPU first: what the counter lacks of a target."""
        (a, b), (ta, tb) = count.base, self.targets[c][t]
        return [(b - tb) + add + (a - ta if n == 0 else 0) for n, add in enumerate(adds)]

    def check_signs(self, counts: tuple[Count, ...], histories: list[History]) -> None:
        """No CPU may make up for another."""
        for c, count in enumerate(counts):
            for t in range(len(self.targets[c])):
                lacks = self.distance(c, count, t, [h[c].added for h in histories])
                if any(x > 0 for x in lacks) and any(x < 0 for x in lacks):
                    raise Fault(f"{self.declared[c].name}: how many were counted matters")

    def set_to(self, c: int, value: tuple[int, int]) -> Count:
        """The counter with an absolute value."""
        answers = []
        for ta, tb in self.targets[c]:
            lacks, each = value[0] - ta, value[1] - tb
            if each and lacks % each == 0 and -(lacks // each) >= self.fewest:
                raise Fault(f"{self.declared[c].name} is compared with a number of CPUs")
            answers.append(each == 0 and lacks == 0)
        return Count(value, tuple(answers))

    def possible(self, c: int, count: Count, adds: list[int], answers: tuple[bool, ...]) -> bool:
        """Whether these answers may hold, with any others besides."""
        for t, holds in enumerate(answers):
            if holds and any(self.distance(c, count, t, adds)):
                return False
        true = [self.targets[c][t] for t, holds in enumerate(answers) if holds]
        return all(self._may_meet(true[0], other) for other in true[1:])

    def _may_meet(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        a, b = one[0] - other[0], one[1] - other[1]
        return b != 0 and a % b == 0 and -(a // b) >= self.fewest

    def worlds(
        self, c: int, count: Count, history: History, op: Any, at: str, near: list[tuple[str, bool]]
    ) -> Iterator[World]:
        """What a step finds in a counter; `near`: readings, and if nothing was stored since."""
        name, kind = self.declared[c].name, op.mnemonic.partition(".")[0]
        if kind == "ldaddal":
            if type(op.args[1]) is not int:
                raise Fault(f"{at}: an atomic adds no int")
            for answers in product((True, False), repeat=len(self.targets[c])):
                old = Added(Seen(name, at, self._said(c, answers)), -op.args[1])
                yield World(old, c, answers)
        elif kind in ("ldr", "ldar", "ldapr", "ldxr", "ldaxr", "wait"):
            said, called = self._said(c, count.answers), None
            tickets = self.declared[c].calls
            if tickets is not None:
                taken = history[self.at.index(tickets)]
                of = self.declared[self.at.index(tickets)].name
                called = of, taken.ticket, history[c].called >= taken.added
            for same in product((True, False), repeat=len(near)):
                if all(guess or not fresh for guess, (_, fresh) in zip(same, near, strict=True)):
                    guesses = tuple((n, g) for (n, _), g in zip(near, same, strict=True))
                    yield World(Seen(name, at, said, guesses, called), c, loaded=True)
        elif kind in ("str", "stlr", "stxr", "stlxr"):
            yield World(counter=c)
        else:
            raise Fault(f"{at}: the checker knows no {kind} of a counter")

    def _said(self, c: int, answers: tuple[bool, ...]) -> tuple[tuple[Linear, bool], ...]:
        return tuple((Linear(*t), a) for t, a in zip(self.targets[c], answers, strict=True))


class After(NamedTuple):
    """The counters after a store, and what every CPU has done."""

    counts: list[Count]
    histories: list[list[Share]]
    left: bool = False
    """More CPUs are to be called: the boot CPU's store stays where it is."""
    called: int | None = None
    """Who of those that are looked at is called; 0: another."""


class Store(NamedTuple):
    """A store of a word to a counter."""

    c: int
    word: Any
    by: int
    """Which of the CPUs that are looked at; the boot CPU is 0."""
    op: Any
    """The operation of its program then."""
    at: str
    """The label of that."""
    armed: str
    """That of the step before, if it was a load of a counter."""
    drain: bool
    """It comes from the store buffer."""


def stored(
    counters: Counters,
    store: Store,
    world: World,
    counts: tuple[Count, ...],
    histories: list[History],
) -> Iterator[After]:
    """What a store means, in each way that is possible."""
    declared, word, name = counters.declared[store.c], store.word, counters.declared[store.c].name
    tickets = any(other.calls == counters.at[store.c] for other in counters.declared)
    if isinstance(word, int | Linear) and store.drain and declared.calls is None and not tickets:
        yield _set(counters, store, counts, histories)
    elif type(word) is Added and word.seen.counter == name and not store.drain:
        yield from _counted(counters, store, world, counts, histories, tickets=tickets)
    elif type(word) is Batch and word.counter == name and store.by == 0 and store.drain:
        yield from _called(store, counts, histories, name)
    else:
        raise Fault(f"{name} is stored to in a way that the checker does not know")


def _copy(counts: tuple[Count, ...], histories: list[History]) -> After:
    return After(list(counts), [list(h) for h in histories])


def _set(
    counters: Counters, store: Store, counts: tuple[Count, ...], histories: list[History]
) -> After:
    """An absolute value: who was counted is forgotten."""
    after, c, word = _copy(counts, histories), store.c, store.word
    value = (word, 0) if isinstance(word, int) else (word.constant, word.everyone)
    kept = counts[c]
    after.counts[c] = counters.set_to(c, value)._replace(duty=kept.duty, batches=kept.batches)
    for h in after.histories:
        h[c] = h[c]._replace(added=0)
    for other, known in enumerate(after.counts):
        if known.duty:
            duty = tuple(0 if n == c else added for n, added in enumerate(known.duty))
            after.counts[other] = known._replace(duty=duty)
    return _with_duties(after)


def _counted(
    counters: Counters,
    store: Store,
    world: World,
    counts: tuple[Count, ...],
    histories: list[History],
    *,
    tickets: bool,
) -> Iterator[After]:
    """One CPU adds something."""
    c, word, by, op, at, armed, _ = store
    declared, count, atomic = counters.declared[c], counts[c], op.mnemonic == "ldaddal"
    add = op.args[1] if atomic else word.by
    exclusive = op.mnemonic in ("stxr", "stlxr") and armed == word.seen.at
    fits = word.by == 0 if atomic else exclusive
    earlier = histories[by][c].added
    if declared.calls is not None or not fits or not add or abs(earlier + add) > MOST:
        raise Fault(f"{declared.name} is added to in a way that the checker does not know")
    before = [h[c].added for n, h in enumerate(histories) if n not in (0, by)]
    if tickets and (by == 0 or add != 1 or any(other < earlier for other in before)):
        raise Fault(f"{declared.name}: a ticket out of turn")
    adds = [h[c].added + (add if n == by else 0) for n, h in enumerate(histories)]
    for other, known in enumerate(counts):  # who is known to be there, and is not looked at
        if known.duty and not any(h[other].duty for h in histories):
            adds.append(known.duty[c])
    for answers in product((True, False), repeat=len(counters.targets[c])):
        observed = not atomic or answers == world.answers
        if not observed or not counters.possible(c, count, adds, answers):
            continue
        after = _copy(counts, histories)
        zero = declared.announces is not None and answers[counters.targets[c].index((0, 0))]
        if zero and count.duty:
            raise Fault(f"{declared.name} is 0 again before that was announced")
        after.counts[c] = count._replace(answers=answers)
        share = histories[by][c]._replace(added=earlier + add)
        share = share._replace(duty=True) if zero else share
        after.histories[by][c] = share._replace(ticket=at) if tickets else share
        yield _with_duties(after)


def _called(
    store: Store, counts: tuple[Count, ...], histories: list[History], name: str
) -> Iterator[After]:
    """The boot CPU calls one CPU, of those that are looked at, or another; perhaps the last."""
    c, count = store.c, counts[store.c]
    waiting = [n for n, h in enumerate(histories) if n and h[c].called == count.batches]
    if count.batches >= MOST:
        raise Fault(f"{name} calls CPUs more often than the checker follows")
    for n in (*waiting, None):
        last = waiting == ([] if n is None else [n])
        for left in (True, False) if last else (True,):
            after = _copy(counts, histories)._replace(left=left, called=n or 0)
            if n is not None:
                share = histories[n][c]
                after.histories[n][c] = share._replace(called=share.called + 1)
            if not left:
                after.counts[c] = count._replace(batches=count.batches + 1)
            yield _with_duties(after)


def _with_duties(after: After) -> After:
    """With what those have added who have to announce something, where they are looked at."""
    for history in after.histories:
        for c, share in enumerate(history):
            if share.duty:
                duty = tuple(each.added for each in history)
                after.counts[c] = after.counts[c]._replace(duty=duty)
    return after
