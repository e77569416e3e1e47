"""Programs as automata: control points, found lazily by running frames from their histories.

A control point is a stack of frames; a frame is (function, arguments, values observed so far).
`(control point, value) -> control point` and `control point -> operation` are memoised, so a host
walks a small graph, states that contain control points are hashable, and restoring a snapshot
costs nothing. A finished routine's history is dropped; its caller's gains only the returned value.

A program that could look at anything else (a clock, a global that changes) is refused with file and
line when it is first entered (`purity`). Every frame is run twice and must ask for the same
operation; after a search it is run again, in another order (`frames/known.py:KnownTurns`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import FunctionType
from typing import Any

from simbbm.core.errors import ScenarioError, Where
from simbbm.core.points import ControlPoint, Programs
from simbbm.core.program import (
    Call,
    Loop,
    Op,
    Program,
    Request,
    Step,
    require_module_level,
)
from simbbm.core.programs.edits import NO_EDITS, Edits
from simbbm.core.programs.frames.frame import Raised, start_of
from simbbm.core.programs.frames.known import KnownTurns, Place
from simbbm.core.programs.labels import is_call, matches, matches_call, short_label
from simbbm.core.programs.purity import Purity
from simbbm.core.programs.reorder import Deferred, Operation, reordered
from simbbm.core.values import digest, key, qualified_name, why_not_frozen

MAX_CALLS_PER_STEP = 10_000
MAX_DEPTH = 100
MAX_HISTORY = 20_000
MAX_STREAK = 400


class FramePoint(ControlPoint):
    """A place in a Python program: what its innermost frame has observed, and who called it."""

    __slots__ = (
        "args",
        "asked",
        "automaton",
        "deferred",
        "extensions",
        "function",
        "history",
        "loop",
        "onward",
        "parent",
        "place",
        "settled",
        "streak",
    )

    def __init__(
        self,
        automaton: Automaton,
        parent: FramePoint | None,
        place: Place,
        history: tuple[Any, ...],
        path: str,
        serial: int,
        loop: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__(path, serial)
        self.automaton = automaton
        self.parent = parent
        self.place = place
        """What the frame has observed."""
        self.history = history
        self.loop = loop
        self.extensions: dict[Any, FramePoint] = {}
        self.settled: FramePoint | None = None
        self.asked: Any = None
        """The frame's request here: where it was made, and its content."""
        self.streak = 0
        """How many times in a row it has made that request."""
        self.onward: FramePoint | None = None
        """Of a step that an edit added: the control point that follows."""
        self.deferred: Deferred | None = None
        """What an edit puts in place of the operation that the program asks for here."""
        self.function: Program = place.function
        """The function that the frame runs."""
        self.args: tuple[Any, ...] = place.args
        """The function's arguments."""

    def _follow(self, value: Any) -> ControlPoint:
        return self.automaton.follow(self, value)

    def _seen(self) -> Iterator[tuple[Any, ControlPoint]]:
        for k, following in self.successors.items():
            if k in self.extensions:
                yield self.extensions[k].history[-1], following

    def _new_digest(self) -> str:
        above = self.parent.digest if self.parent else ""
        history = tuple(v.content() if type(v) is Raised else v for v in self.history)
        name = qualified_name(self.function)
        added = (self.label,) if self.onward else ()
        return digest(above, name, self.args, history, self.finished, *added)


class Automaton(Programs):
    """All control points of a scenario's Python programs under one set of edits."""

    def __init__(self, edits: Edits = NO_EDITS, known: KnownTurns | None = None) -> None:
        """`known` has what frames did under any edits: these change how steps are put together."""
        super().__init__(edits)
        self._known = known or KnownTurns()
        self._replace = dict(edits.replace)
        self._calls = [(name, other) for name, other in edits.replace if is_call(name)]
        self._points: dict[Any, FramePoint] = {}
        self.purity = Purity(self._known.bindings)
        for replaced, function in edits.replace:
            self.purity.require(function, f"{start_of(function)}: in place of {replaced}")

    @property
    def functions(self) -> Collection[FunctionType]:
        """The Python functions that programs can come to."""
        return self.purity.functions

    def start(self, function: Any, *args: Any) -> ControlPoint:
        """Return the first control point of a program."""
        function = getattr(function, "__wrapped__", function)
        require_module_level(function)
        for arg in args:
            if why := why_not_frozen(arg):
                where = start_of(function)
                raise ScenarioError(f"{where}: argument of {function.__name__}: {why}")
        self.purity.require(args, f"{start_of(function)}: argument of {function.__name__}")
        return self._settle(self._enter(None, function, args, function.__name__))

    def recheck(self) -> None:
        """Run what is new once more, the latest first; raise ScenarioError if anything differs.

        What a program does must not depend on what was run before it, nor on globals that change
        meanwhile.
        """
        self.purity.require_unchanged()
        self._known.recheck()

    def follow(self, point: FramePoint, value: Any) -> FramePoint:
        """Return the control point after `point` observed `value` (not memoised)."""
        if point.finished:
            raise ScenarioError(f"{point.path} has finished")
        if point.onward:
            return point.onward
        if point.deferred:
            assert isinstance(point.deferred.first, FramePoint)
            onward = self.follow(point.deferred.first, value)
            for operation in reversed(point.deferred.behind):
                onward = self._added(point, (*point.history, value), operation, onward)
            return onward
        onward = self._settle(self._extend(point, value))
        if op := self._edited_step(self.edits.after, point.full_label):
            operation = Operation(op, f"{point.label}+{op.mnemonic}", point.where)
            return self._added(point, (*point.history, value), operation, onward)
        return onward

    def following(self, pattern: str) -> list[Op]:
        """The operations that were seen directly after steps that match this pattern."""
        met: dict[str, Op] = {}
        waiting, seen = list(self._points.values()), set[int]()
        while waiting:
            point = waiting.pop()
            if id(point) in seen:
                continue
            seen.add(id(point))
            waiting += point.extensions.values()
            waiting += (p for p in point.successors.values() if isinstance(p, FramePoint))
            if point.op is not None and matches(pattern, point.full_label):
                met |= {p.full_label: p.op for p in point.successors.values() if p.op}
        return [met[label] for label in sorted(met)]

    def _added(
        self,
        point: FramePoint,
        history: tuple[Any, ...],
        operation: Operation,
        onward: FramePoint,
    ) -> FramePoint:
        """Return a point in the frame of another that does an operation and leads to `onward`."""
        added = FramePoint(self, point.parent, point.place, history, point.path, next(self._serial))
        added.op, added.label, added.where = operation
        added.onward, added.settled = onward, added
        return added

    def _enter(
        self,
        caller: FramePoint | None,
        function: Program,
        args: tuple[Any, ...],
        path: str,
        *,
        loop: bool = False,
    ) -> FramePoint:
        """Return the first point of a new frame, before anything has run in it."""
        function = self._edited(function, caller)
        if function not in self.purity.functions:
            self.purity.require(function, f"{start_of(function)}: {function.__name__}")
        place = self._known.start(function, args, root=caller is None)
        k = (id(caller), place, path, loop)
        point = self._points.get(k)
        if point is None:
            point = FramePoint(self, caller, place, (), path, next(self._serial), loop)
            self._points[k] = point
        return point

    def _edited(self, function: Program, caller: FramePoint | None) -> Program:
        name = qualified_name(function)
        other = self._replace.get(name)
        # A replacement may call what it replaces: that is how a twin wraps a routine.
        if other is None or (caller is not None and caller.function is other):
            return function
        self.used_edits.add(name)
        return other

    def _called(self, function: Program, caller: FramePoint, nth: str) -> Program:
        """What runs where a function is called: what an edit of this call puts there, or itself."""
        path = f"{caller.path}/{function.__name__}{nth}"
        for pattern, other in self._calls:
            if matches_call(pattern, path):
                self.used_edits.add(pattern)
                return other
        return function

    def _extend(self, point: FramePoint, value: Any) -> FramePoint:
        """Return the point of the same frame in which `value` has been observed too."""
        k = key(value)
        after = point.extensions.get(k)
        if after is None:
            history = (*point.history, value)
            if len(history) > MAX_HISTORY:
                raise ScenarioError(
                    f"{point.where}: {point.function.__name__} awaited {MAX_HISTORY} times in one "
                    "frame",
                    "write an endless wait as repeat_until(body, ...)",
                )
            place = point.place.observing(value, k)
            after = FramePoint(self, point.parent, place, history, point.path, next(self._serial))
            after.asked, after.streak = point.asked, point.streak
            point.extensions[k] = after
        return after

    def _settle(self, point: FramePoint) -> FramePoint:
        """Run from `point` through calls, returns and dropped steps to the next operation."""
        passed = []
        for _ in range(MAX_CALLS_PER_STEP):
            if point.settled is None:
                passed.append(point)
                following = self._advance(point)
            else:
                following = point.settled
            if following is point:
                for earlier in passed:
                    earlier.settled = point
                return point
            point = following
        raise ScenarioError(
            f"{point.where or point.path}: {MAX_CALLS_PER_STEP} calls without a step",
            "an endless loop whose body awaits no step",
        )

    def _advance(self, point: FramePoint) -> FramePoint:
        """Return the next point on the way to an operation, or `point` itself if it has one."""
        if point.loop:
            return self._enter(point, point.function, point.args, point.path)
        turn = self._known.turn(point.place)
        request, point.where = turn.request, turn.where
        self._count_streak(point, request)
        self.awaited.setdefault(point.function.__code__, set())
        if request is None:
            if point.parent is None:
                point.value = turn.outcome
                return point
            return self._return(point.parent, turn.outcome)
        for code, line in turn.awaiting:
            self.awaited.setdefault(code, set()).add(line)
        if isinstance(request, Call):
            nth = f"#{turn.occurrence}" if turn.occurrence > 1 else ""
            function = self._called(request.function, point, nth)
            name = self._edited(function, point).__name__
            path, loop = f"{point.path}/{name}{nth}", isinstance(request, Loop)
            if path.count("/") > MAX_DEPTH:
                raise ScenarioError(f"{point.where}: calls nested more than {MAX_DEPTH} deep")
            return self._enter(point, function, request.args, path, loop=loop)
        assert isinstance(request, Step)
        full = f"{point.path}.{request.op.mnemonic}#{turn.occurrence}"
        point.label = short_label(full)
        point.full_label = full
        self.labels.setdefault(full, turn.where)
        self.ops.setdefault(full, request.op)
        self.sites.setdefault(full, tuple(_sites(point)))
        if self._dropped(full):
            return self._extend(point, None)
        weaker = self._edited_step(self.edits.weaken, full)
        point.op = weaker(request.op) if weaker else request.op
        self._reorder(point)
        if op := self._edited_step(self.edits.before, full):
            operation = Operation(op, f"{op.mnemonic}+{point.label}", point.where)
            return self._added(point, point.history, operation, point)
        return point

    def _reorder(self, point: FramePoint) -> None:
        """Let a point do what comes later, if an edit says so of its step."""
        for later in self.edits.later:
            if matches(later.step, point.full_label):
                point.settled = point  # A loop leads back here.
                onward = self._settle(self._extend(point, None))
                if deferred := reordered(point, onward, later):
                    self.used_edits |= {later.step, later.behind} - {""}
                    first = deferred.first
                    point.op, point.where = first.op, first.where
                    point.label, point.full_label = first.label, first.full_label
                    point.deferred = deferred
                return

    def _count_streak(self, point: FramePoint, request: Request[Any] | None) -> None:
        """Refuse a loop that makes the same request for ever."""
        asked = request and (request._where_, request.content())
        point.streak = point.streak + 1 if asked == point.asked else 1
        point.asked = asked
        if point.streak > MAX_STREAK:
            raise ScenarioError(
                f"{point.where}: {point.function.__name__} awaited the same {MAX_STREAK} times",
                "write an endless wait as repeat_until(body, ...)",
            )

    def _return(self, parent: FramePoint, outcome: Any) -> FramePoint:
        """Return to `parent`: a suspended caller, or a loop that may take another turn."""
        if not parent.loop:
            return self._extend(parent, outcome)
        if type(outcome) is Raised or outcome:
            assert parent.parent is not None
            return self._extend(parent.parent, outcome)
        return parent


def _sites(point: FramePoint | None) -> Iterator[Where | None]:
    """The lines of a step and of its callers; the turns of a loop are where the loop is."""
    while point is not None:
        if not point.loop:
            yield point.where
        point = point.parent
