"""Counters: who has been counted, and what follows for comparisons, whatever the number of CPUs.

A counter's value is the last absolute value that was stored, plus what each CPU has added since:

    value = a + b N + c_0 + c_1 + ... + c_(N-1)

The difference from a target t0 + tN N is a sum with one term for each CPU: the boot CPU's is
a - t0 + (b - tN) + c_0, another's is (b - tN) + c_i. Where no two terms have different signs the
value is the target exactly if every term is 0: "all have been counted". Whoever has another term is
a *witness* that it is not. Other comparisons depend on the number of CPUs, and are refused.

Of the comparisons that programs make, the answers are part of what all CPUs share. They are worked
out anew where somebody counts: if the CPUs that are looked at have terms of 0, the others may have
such as well, or not, and both are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from simbbm.core.programs.everyone import Counter
from simbbm.core.programs.symbols import Linear

MOST = 3
"""What one CPU may add before the counter is stored to again, and batches: else no end is in
sight."""
ZERO = (0, 0)

Target = tuple[int, int]
"""t0 and tN of t0 + tN N."""


class Refused(Exception):
    """The proof for every number of CPUs is refused: one line says why, and what to change."""


class Count(NamedTuple):
    """What all share of one counter."""

    base: Target
    """The last absolute value."""
    answers: tuple[bool, ...]
    """Whether the value is each of the targets."""
    duty: tuple[int, ...] = ()
    """It came to 0, and who brought it there has not announced that yet: what that CPU has added
    to each counter. It may be one that is not looked at. Empty: nobody has to."""
    batches: int = 0
    """How often it has called all CPUs."""


class Share(NamedTuple):
    """What one CPU has to do with one counter."""

    added: int = 0
    """Since the last absolute store."""
    duty: bool = False
    """It brought it to 0, and has to announce that."""
    called: int = 0
    """How often it was called."""
    ticket: str = ""
    """The step by which it took its last ticket."""


class Counting(NamedTuple):
    """The counters of a scenario, in order of address, and what they are compared with."""

    addresses: tuple[int, ...]
    counters: tuple[Counter, ...]
    targets: tuple[tuple[Target, ...], ...]
    fewest: int
    """The smallest number of CPUs that the views stand for."""

    def named(self, name: str) -> int:
        """Which counter has this name."""
        return next(i for i, counter in enumerate(self.counters) if counter.name == name)

    def calls(self, c: int) -> bool:
        """Whether a counter calls the holders of tickets."""
        return self.counters[c].calls is not None

    def tickets(self, c: int) -> bool:
        """Whether the old values of a counter are tickets."""
        return any(counter.calls == self.addresses[c] for counter in self.counters)

    def calling_of(self, c: int, shares: Sequence[Share]) -> tuple[str, str, bool] | None:
        """Of a counter that calls: the tickets, how a CPU took its last, and if it was called."""
        address = self.counters[c].calls
        if address is None:
            return None
        ticket = shares[self.addresses.index(address)]
        name = self.counters[self.addresses.index(address)].name
        return name, ticket.ticket, shares[c].called >= ticket.added

    def start(self, values: Sequence[int]) -> tuple[Count, ...]:
        """All counters at the start, from the words in memory."""
        return tuple(self.stored(c, Count(ZERO, ()), (v, 0)) for c, v in enumerate(values))

    def stored(self, c: int, count: Count, value: Target) -> Count:
        """After an absolute store, which forgets who was counted."""
        return count._replace(
            base=value, answers=tuple(self._is(c, value, target) for target in self.targets[c])
        )

    def _is(self, c: int, value: Target, target: Target) -> bool:
        """Whether a + b N is t0 + tN N: the same for every number of CPUs, or it is refused."""
        constant, everyone = value[0] - target[0], value[1] - target[1]
        if everyone == 0:
            return constant == 0
        if constant % everyone == 0 and -constant // everyone >= self.fewest:
            raise self._depends(c, target)
        return False

    def terms(self, count: Count, target: Target, shares: Sequence[Share]) -> list[int]:
        """The boot CPU's term, which is the first, and those of others."""
        everyone = count.base[1] - target[1]
        rest = [everyone + share.added for share in shares]
        rest[0] += count.base[0] - target[0]
        return rest

    def require_one_sign(
        self, counts: tuple[Count, ...], shares: Sequence[tuple[Share, ...]]
    ) -> None:
        """Refuse counters of which it matters how many were counted, and not only whether all."""
        for c, count in enumerate(counts):
            own = [share[c] for share in shares]
            for target in self.targets[c]:
                terms = self.terms(count, target, own)
                if min(terms) < 0 < max(terms):
                    raise self._depends(c, target)

    def after(
        self, c: int, count: Count, shares: Sequence[Share], absent: Sequence[int]
    ) -> Iterator[tuple[bool, ...]]:
        """The answers that are possible when these, and others, have been counted.

        `absent` is what others have added that are known to be there.
        """
        every: list[tuple[bool, ...]] = []
        for target in self.targets[c]:
            terms = self.terms(count, target, shares)
            terms += [count.base[1] - target[1] + added for added in absent]
            every.append((False,) if any(terms) else (True, False))
        for answers in product(*every):
            true = [t for t, holds in zip(self.targets[c], answers, strict=True) if holds]
            if all(self._coincide(one, true[0]) for one in true[1:]):
                yield answers

    def _coincide(self, one: Target, other: Target) -> bool:
        """Whether two targets are the same value for some number of CPUs that is stood for."""
        constant, everyone = one[0] - other[0], one[1] - other[1]
        return bool(everyone) and constant % everyone == 0 and -constant // everyone >= self.fewest

    def _depends(self, c: int, target: Target) -> Refused:
        told = Linear(*target)
        return Refused(
            f"{self.counters[c].name} is compared with {told}, and whether it is that depends on "
            f"the number of CPUs (compare it with what it is when all, or none, have counted)"
        )

    def zero(self, c: int, count: Count) -> bool | None:
        """Whether a counter is 0, if that is one of its targets."""
        targets = self.targets[c]
        return count.answers[targets.index(ZERO)] if ZERO in targets else None


def counted(name: str, share: Share, by: int) -> Share:
    """A CPU's share after it has added something."""
    added = share.added + by
    if by == 0 or abs(added) > MOST:
        raise Refused(
            f"a CPU adds {added} to {name} before it is stored to again (a CPU is counted once, or "
            f"{MOST} times at most)"
        )
    return share._replace(added=added)
