"""What a store to a counter means: an absolute value, a count, or a call of the next CPU.

A counter that *calls* is stored to by the boot CPU in N - 1 turns, each of which calls the holder
of one ticket. The program's loop is one store here (`Batch`), which stays in the store buffer until
everybody has been called; whom a turn calls is tried in all ways, for the order of tickets is any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from simbbm.arm64.agents import DRAIN
from simbbm.arm64.cpu import Effect
from simbbm.core.programs.symbols import Added, Batch, Linear, Symbol
from simbbm.core.system import STEP, Move
from simbbm.explore.every_n.abstraction import BOOT, Abstraction, Local
from simbbm.explore.every_n.counting import MOST, Count, Counting, Refused, Share, counted
from simbbm.explore.every_n.reading import EXCLUSIVES, World

T = TypeVar("T")
Shares = tuple[Share, ...]


class Taken(NamedTuple):
    """A move that is taken."""

    number: int
    """Of the CPU that takes it: BOOT, or the first of the others."""
    local: Local
    """That CPU, before."""
    move: Move
    world: World


class Written(NamedTuple):
    """The counters after a move, and everybody's share in them."""

    counts: tuple[Count, ...]
    shares: tuple[Shares, ...]
    stored: int = -1
    """The counter that was stored to."""
    called: int | None = None
    """Who was called; BOOT stands for somebody who is not looked at."""
    batch_left: bool = False
    """Calls are left to be made: the store stays in the buffer."""


def written(abstraction: Abstraction, result: Written, taken: Taken) -> Iterator[Written]:
    """What a move makes of the counters, in each way that is possible."""
    effect = taken.move.effect
    assert isinstance(effect, Effect)
    if effect.write is None:
        yield result
        return
    address, words = effect.write
    for c, counter in enumerate(abstraction.counting.counters):
        if counter.announces is not None and 0 <= counter.announces - address < len(words):
            result = _announced(c, result, taken.number)
    touched = [
        abstraction.at[a] for a in range(address, address + len(words)) if a in abstraction.at
    ]
    if touched and len(words) > 1:
        raise Refused(f"{taken.move.label}: a counter is stored to together with other words")
    if touched:
        for each in _stored(abstraction.counting, touched[0], result, taken, words[0]):
            yield _with_duties(each._replace(stored=touched[0]))
        return
    if any(isinstance(word, Symbol) and type(word) is not Linear for word in words):
        raise Refused(f"{taken.move.label}: what was read from a counter is stored elsewhere")
    yield result


def _announced(c: int, result: Written, number: int) -> Written:
    """Whoever brought a counter to 0 has announced it."""
    if not result.shares[number][c].duty:
        return result
    share = result.shares[number][c]._replace(duty=False)
    counts = _with(result.counts, c, result.counts[c]._replace(duty=()))
    return Written(counts, _share(result.shares, number, c, share))


def _stored(
    counting: Counting, c: int, result: Written, taken: Taken, word: object
) -> Iterator[Written]:
    """A store to a counter."""
    counter, label = counting.counters[c], taken.move.label
    if isinstance(word, int | Linear):
        if taken.move.kind != DRAIN:
            raise Refused(f"{label}: an exclusive store of an absolute value to {counter.name}")
        if counter.calls is not None or counting.tickets(c):
            raise Refused(
                f"{label}: {counter.name} gives tickets, or calls their holders (only so)"
            )
        value = (word, 0) if isinstance(word, int) else (word.constant, word.everyone)
        counts = tuple(_forgotten(count, c) for count in result.counts)
        counts = _with(counts, c, counting.stored(c, counts[c], value))
        shares = tuple(_with(s, c, s[c]._replace(added=0)) for s in result.shares)
        yield Written(counts, shares)
    elif type(word) is Batch and taken.number == BOOT and counter.name == word.counter:
        yield from _called(c, result, counter.name)
    elif type(word) is Added and word.seen.counter == counter.name and taken.move.kind == STEP:
        yield from _added(counting, c, result, taken, word)
    else:
        raise Refused(
            f"{label}: {counter.name} is loaded, and stored plainly (count by an atomic, or by a "
            "load-exclusive and the store-exclusive that follows it)"
        )


def _added(
    counting: Counting, c: int, result: Written, taken: Taken, word: Added
) -> Iterator[Written]:
    """An atomic, or a store-exclusive that succeeds."""
    name, label, number = counting.counters[c].name, taken.move.label, taken.number
    op = taken.local.cpu.point.op
    assert op is not None
    if taken.world.answers is not None:
        by = op.args[1]
        fits = word.by == 0
    else:
        by = word.by
        fits = op.mnemonic in EXCLUSIVES and taken.local.armed == word.seen.at
    if not fits:
        raise Refused(
            f"{label}: a store-exclusive to {name} does not follow the load-exclusive whose value "
            "it changes (let it follow at once)"
        )
    share = counted(name, result.shares[number][c], by)
    if counting.tickets(c):
        _require_in_turn(c, result, number, by, label)
        share = share._replace(ticket=taken.local.cpu.point.full_label)
    if counting.calls(c):
        raise Refused(
            f"{label}: {name} calls CPUs, and is counted in (only the boot CPU stores it)"
        )
    shares = _share(result.shares, number, c, share)
    absent = [
        count.duty[c]
        for other, count in enumerate(result.counts)
        if count.duty and not any(s[other].duty for s in shares)
    ]
    ways = counting.after(c, result.counts[c], [s[c] for s in shares], absent)
    for answers in ways:
        if taken.world.answers not in (None, answers):
            continue  # the CPU has observed something else
        count = result.counts[c]._replace(answers=answers)
        if counting.counters[c].announces is not None and counting.zero(c, count):
            if count.duty:
                raise Refused(f"{label}: {name} is 0 again before that was announced")
            yield Written(
                _with(result.counts, c, count),
                _share(shares, number, c, share._replace(duty=True)),
            )
        else:
            yield Written(_with(result.counts, c, count), shares)


def _with_duties(result: Written) -> Written:
    """What all know of those who have to announce something, if these are among the CPUs."""
    counts = result.counts
    for shares in result.shares:
        for c, share in enumerate(shares):
            if share.duty:
                duty = tuple(each.added for each in shares)
                counts = _with(counts, c, counts[c]._replace(duty=duty))
    return result._replace(counts=counts)


def _forgotten(count: Count, c: int) -> Count:
    """What is known of who has to announce something, after a counter was stored to."""
    return count._replace(duty=_with(count.duty, c, 0)) if count.duty else count


def _require_in_turn(c: int, result: Written, number: int, by: int, label: str) -> None:
    """Refuse tickets of which somebody takes the next before everybody has the last."""
    taken = result.shares[number][c].added
    others = [s[c].added for n, s in enumerate(result.shares) if n not in (BOOT, number)]
    if number == BOOT or by != 1 or any(added < taken for added in others):
        raise Refused(
            f"{label}: a ticket is taken by the boot CPU, or before all have the last one (each of "
            "the others takes one for each round of calls)"
        )


def _called(c: int, result: Written, name: str) -> Iterator[Written]:
    """One turn of the calls: of a CPU that is looked at, or of another; it may be the last."""
    count = result.counts[c]
    if count.batches >= MOST:
        raise Refused(f"{name} calls all CPUs more than {MOST} times (no end is in sight)")
    done = _with(result.counts, c, count._replace(batches=count.batches + 1))
    waiting = [n for n, s in enumerate(result.shares) if n != BOOT and s[c].called == count.batches]
    for n in waiting:
        share = result.shares[n][c]
        shares = _share(result.shares, n, c, share._replace(called=share.called + 1))
        yield Written(result.counts, shares, called=n, batch_left=True)
        if len(waiting) == 1:
            yield Written(done, shares, called=n)
    yield Written(result.counts, result.shares, called=BOOT, batch_left=True)
    if not waiting:
        yield Written(done, result.shares, called=BOOT)


def _with(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _share(shares: tuple[Shares, ...], number: int, c: int, share: Share) -> tuple[Shares, ...]:
    return _with(shares, number, _with(shares[number], c, share))
