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

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import CodeType
from typing import Any, TypeVar

from simbbm.core.errors import ScenarioError, Where
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

E = TypeVar("E")

MAX_CALLS_PER_STEP = 10_000
MAX_DEPTH = 100
MAX_HISTORY = 20_000
MAX_STREAK = 400


@dataclass(eq=False)
class ControlPoint:
    """A place in a program: compare by identity, order and store by `digest`.

    `op` is what the program asks for here; None where it has finished, with `value` its result.
    """

    automaton: Automaton
    parent: ControlPoint | None
    place: Place
    """What the frame has observed."""
    history: tuple[Any, ...]
    path: str
    serial: int
    """In order of discovery: a program that goes round passes from a higher to a lower one."""
    loop: bool = False
    op: Op | None = None
    where: Where | None = None
    label: str = ""
    full_label: str = ""
    value: Any = None
    successors: dict[Any, ControlPoint] = field(default_factory=dict)
    extensions: dict[Any, ControlPoint] = field(default_factory=dict)
    blocked: set[Any] = field(default_factory=set)
    """Observations after which the program inspects an unknown value (`unknown`)."""
    settled: ControlPoint | None = None
    asked: Any = None
    """The frame's request here: where it was made, and its content."""
    streak: int = 0
    """How many times in a row it has made that request."""
    onward: ControlPoint | None = None
    """Of a step that an edit added: the control point that follows."""
    deferred: Deferred | None = None
    """What an edit puts in place of the operation that the program asks for here."""
    decoded: Any = None
    """What the machine makes of the operation, once it was asked."""
    _digest: str | None = None
    _latest: tuple[Any, ControlPoint] | None = None
    """The value that was asked for last, and the control point that follows."""

    @property
    def function(self) -> Program:
        """The function that the frame runs."""
        return self.place.function

    @property
    def args(self) -> tuple[Any, ...]:
        """The function's arguments."""
        return self.place.args

    @property
    def finished(self) -> bool:
        """Whether the program has returned."""
        return self.op is None

    @property
    def digest(self) -> str:
        """Identifies the control point by content, on every machine."""
        if self._digest is None:
            above = self.parent.digest if self.parent else ""
            history = tuple(v.content() if type(v) is Raised else v for v in self.history)
            name = qualified_name(self.function)
            added = (self.label,) if self.onward else ()
            self._digest = digest(above, name, self.args, history, self.finished, *added)
        return self._digest

    def after(self, value: Any = None) -> ControlPoint:
        """Return the control point that follows when the operation here observed `value`."""
        if self._latest and self._latest[0] is value:
            return self._latest[1]
        memo = self.successors.get(k := key(value))
        if memo is None:
            memo = self.successors[k] = self.automaton.follow(self, value)
        self._latest = value, memo
        return memo

    def __repr__(self) -> str:
        return f"<{self.label or self.path + ' finished'}>"


class Automaton:
    """All control points of a scenario's programs under one set of edits."""

    def __init__(self, edits: Edits = NO_EDITS, known: KnownTurns | None = None) -> None:
        """`known` has what frames did under any edits: these change how steps are put together."""
        self.edits = edits
        self._known = known or KnownTurns()
        self._replace = dict(edits.replace)
        self._calls = [(name, other) for name, other in edits.replace if is_call(name)]
        self._points: dict[Any, ControlPoint] = {}
        self._serial = count()
        self.used_edits: set[str] = set()
        self.labels: dict[str, Where] = {}
        self.ops: dict[str, Op] = {}
        """The operation at each label; of several operands, the first that were seen."""
        self.sites: dict[str, tuple[Where | None, ...]] = {}
        """The lines of a label's step and of the calls on the way to it, the innermost first."""
        self.awaited: dict[CodeType, set[int]] = {}
        """The lines at which functions were seen to await something."""
        self.purity = Purity(self._known.bindings)
        for replaced, function in edits.replace:
            self.purity.require(function, f"{start_of(function)}: in place of {replaced}")

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

    def follow(self, point: ControlPoint, value: Any) -> ControlPoint:
        """Return the control point after `point` observed `value` (not memoised)."""
        if point.finished:
            raise ScenarioError(f"{point.path} has finished")
        if point.onward:
            return point.onward
        if point.deferred:
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
            waiting += [*point.extensions.values(), *point.successors.values()]
            if point.op is not None and matches(pattern, point.full_label):
                met |= {p.full_label: p.op for p in point.successors.values() if p.op}
        return [met[label] for label in sorted(met)]

    def _added(
        self,
        point: ControlPoint,
        history: tuple[Any, ...],
        operation: Operation,
        onward: ControlPoint,
    ) -> ControlPoint:
        """Return a point in the frame of another that does an operation and leads to `onward`."""
        added = ControlPoint(
            self, point.parent, point.place, history, point.path, next(self._serial)
        )
        added.op, added.label, added.where = operation
        added.onward, added.settled = onward, added
        return added

    def _enter(
        self,
        caller: ControlPoint | None,
        function: Program,
        args: tuple[Any, ...],
        path: str,
        *,
        loop: bool = False,
    ) -> ControlPoint:
        """Return the first point of a new frame, before anything has run in it."""
        function = self._edited(function, caller)
        if function not in self.purity.functions:
            self.purity.require(function, f"{start_of(function)}: {function.__name__}")
        place = self._known.start(function, args, root=caller is None)
        k = (id(caller), place, path, loop)
        point = self._points.get(k)
        if point is None:
            point = ControlPoint(self, caller, place, (), path, next(self._serial), loop)
            self._points[k] = point
        return point

    def _edited(self, function: Program, caller: ControlPoint | None) -> Program:
        name = qualified_name(function)
        other = self._replace.get(name)
        # A replacement may call what it replaces: that is how a twin wraps a routine.
        if other is None or (caller is not None and caller.function is other):
            return function
        self.used_edits.add(name)
        return other

    def _called(self, function: Program, caller: ControlPoint, nth: str) -> Program:
        """What runs where a function is called: what an edit of this call puts there, or itself."""
        path = f"{caller.path}/{function.__name__}{nth}"
        for pattern, other in self._calls:
            if matches_call(pattern, path):
                self.used_edits.add(pattern)
                return other
        return function

    def _extend(self, point: ControlPoint, value: Any) -> ControlPoint:
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
            after = ControlPoint(self, point.parent, place, history, point.path, next(self._serial))
            after.asked, after.streak = point.asked, point.streak
            point.extensions[k] = after
        return after

    def _settle(self, point: ControlPoint) -> ControlPoint:
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

    def _advance(self, point: ControlPoint) -> ControlPoint:
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

    def _reorder(self, point: ControlPoint) -> None:
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

    def _count_streak(self, point: ControlPoint, request: Request[Any] | None) -> None:
        """Refuse a loop that makes the same request for ever."""
        asked = request and (request._where_, request.content())
        point.streak = point.streak + 1 if asked == point.asked else 1
        point.asked = asked
        if point.streak > MAX_STREAK:
            raise ScenarioError(
                f"{point.where}: {point.function.__name__} awaited the same {MAX_STREAK} times",
                "write an endless wait as repeat_until(body, ...)",
            )

    def _return(self, parent: ControlPoint, outcome: Any) -> ControlPoint:
        """Return to `parent`: a suspended caller, or a loop that may take another turn."""
        if not parent.loop:
            return self._extend(parent, outcome)
        if type(outcome) is Raised or outcome:
            assert parent.parent is not None
            return self._extend(parent.parent, outcome)
        return parent

    def _dropped(self, label: str) -> bool:
        for pattern in self.edits.drop:
            if matches(pattern, label):
                self.used_edits.add(pattern)
                return True
        return False

    def _edited_step(self, steps: tuple[tuple[str, E], ...], label: str) -> E | None:
        """The edit of the step with this label, if there is one."""
        for pattern, given in steps:
            if matches(pattern, label):
                self.used_edits.add(pattern)
                return given
        return None


def _sites(point: ControlPoint | None) -> Iterator[Where | None]:
    """The lines of a step and of its callers; the turns of a loop are where the loop is."""
    while point is not None:
        if not point.loop:
            yield point.where
        point = point.parent
