"""What frames do next after what they have observed, run once for all who ask.

A frame's observations are a path in a tree of places. A coroutine waits at the places that were
reached last: where it observes one value more it goes on, so that a frame of a thousand steps is
run through once and not a thousand times. A second value at the same place, or a coroutine that was
given up, costs a run from the frame's beginning.

Each frame is run twice, side by side, and both must ask for the same thing; later it is run once
more, in another order (`recheck`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.core.errors import ScenarioError
from simbbm.core.program import Program
from simbbm.core.programs.frames.frame import Running, Turn
from simbbm.core.programs.purity import Bindings
from simbbm.core.programs.symbols import noted
from simbbm.core.values import key

MAX_WAITING = 256
"""Places at which a coroutine waits. How many there are changes how long a search takes, no more:
as many as calls can be nested, for some CPUs at once."""


class Place:
    """A frame that has observed so much."""

    __slots__ = ("above", "after", "args", "function", "root", "turn", "value")

    def __init__(
        self,
        function: Program,
        args: tuple[Any, ...],
        above: Place | None,
        value: Any,
        *,
        root: bool,
    ) -> None:
        self.function, self.args, self.root = function, args, root
        self.above, self.value = above, value
        """The place before it, and what was observed there."""
        self.after: dict[Any, Place] = {}
        self.turn: Turn | None = None
        """What the frame does here, once it was run so far."""

    def observing(self, value: Any, k: Any) -> Place:
        """The place where one value more has been observed; `k` is its key."""
        following = self.after.get(k)
        if following is None:
            following = Place(self.function, self.args, self, value, root=self.root)
            self.after[k] = following
        return following

    def path(self) -> list[Place]:
        """The places from the frame's beginning to this one."""
        place: Place | None = self
        found = []
        while place is not None:
            found.append(place)
            place = place.above
        return found[::-1]


class KnownTurns:
    """What frames do, as far as anybody has asked."""

    def __init__(self) -> None:
        self.bindings = Bindings()
        """What the names stood for that these frames look up."""
        self._starts: dict[Any, Place] = {}
        self._waiting: dict[Place, _Pair] = {}
        """The coroutines that were sent a value last come last."""
        self._new: list[tuple[Place, Turn]] = []
        """Places that were reached since the last recheck, and what the frames did there."""

    def start(self, function: Program, args: tuple[Any, ...], *, root: bool) -> Place:
        """Where a frame begins; `root`: nothing called it."""
        k = (function, key(args), root)
        place = self._starts.get(k)
        if place is None:
            place = self._starts[k] = Place(function, args, None, None, root=root)
        return place

    def turn(self, place: Place) -> Turn:
        """What a frame does; raise ScenarioError if it is not a function of what it observed."""
        if place.turn is not None:
            return place.turn
        before = noted()
        pair = self._waiting.pop(place.above, None) if place.above else None
        if pair is None:
            pair = _Pair(place)
        turn = pair.turn(place.value)
        self._new.append((place, turn))
        if noted() != before:
            return turn  # What it noted is to be noted by whoever asks again.
        place.turn = turn
        if pair.can_wait:
            self._waiting[place] = pair
            if len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
        return turn

    def recheck(self) -> None:
        """Run what is new once more, the latest first; raise ScenarioError if anything differs."""
        done = set[Place]()
        while self._new:
            place, turn = self._new.pop()
            if place not in done:
                done.update(_run_again(place, turn))


def _run_again(place: Place, turn: Turn) -> Iterator[Place]:
    """Run a frame from its beginning to a place; return the places on the way."""
    running = Running(place.function, place.args, root=place.root, watched=False)
    for passed in place.path():
        expected, again = turn if passed is place else passed.turn, running.turn(passed.value)
        if expected is not None:
            _require_same(expected, again, place.function)
            yield passed
    running.close()


def _require_same(turn: Turn, again: Turn, function: Program) -> None:
    if turn.content() != again.content():
        raise ScenarioError(
            f"{turn.where}: {function.__name__} did something else when it was run again",
            "a program may look at nothing but its arguments and what its awaits return",
        )


class _Pair:
    """Two coroutines of one frame, which have to do the same."""

    def __init__(self, place: Place) -> None:
        function, args, root = place.function, place.args, place.root
        self.function = function
        self.first = Running(function, args, root=root, watched=True)
        self.again = Running(function, args, root=root, watched=False)
        self.can_wait = True
        for passed in place.path()[:-1]:
            self.first.turn(passed.value)
            self.again.turn(passed.value)

    def turn(self, value: Any) -> Turn:
        """What they do next; where closing them runs code of the author's, it is tried."""
        turn = self.first.turn(value)
        self.can_wait = self.first.can_wait
        if not self.can_wait:
            self.first.close()
        if turn.request is not None:
            turn.request.require_frozen()
        again = self.again.turn(value)
        if not self.can_wait:
            self.again.close()
        _require_same(turn, again, self.function)
        return turn
