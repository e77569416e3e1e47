"""What the end of a run depends on: which earlier steps, and how.

A program is a function of what it has observed, and its control point keeps just that: for each of
its frames the values that the frame's awaits returned. So a step depends on the steps at which
these values were observed; a routine that has returned counts with what it returned. A load depends
on the write that it reads from, a store that reaches memory on the instruction that issued it, and
a write on the one that it overwrites. A wait that returns nothing leaves no trace in a history, so
every step also depends, from further away, on the last one at which its CPU observed another's
write. The edges, back from the end, say what a failure is about.

Not covered: a listing, and a program with several instructions in flight, have no such control
points; of them there are only the edges through memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from heapq import heappop, heappush
from typing import NamedTuple

from simbbm.arm64.cpu import Effect
from simbbm.arm64.footprints import Kind
from simbbm.core.points import ControlPoint
from simbbm.core.programs.automaton import FramePoint
from simbbm.core.system import STEP, Move
from simbbm.explore.runs.play import RunStep

FAR = 3
"""What an edge counts that only says what came first."""
READS = ("ld", "wait", "cas", "swp")
"""How instructions begin that read memory."""
NO_STEPS: frozenset[int] = frozenset()


class How(StrEnum):
    """In which way a later step depends on an earlier one."""

    READS_FROM = "reads from"
    """It observes what the other wrote."""
    ISSUED = "issued by"
    """The other is the store instruction whose value reaches memory now."""
    OVERWRITES = "overwrites"
    """It writes the same word next."""
    OBSERVED = "knows from"
    """Its program has come this way because of what the other observed."""
    AFTER = "after"
    """The last step at which its CPU observed what another CPU has written."""


class Edge(NamedTuple):
    """One dependency, by the numbers of the steps."""

    later: int
    earlier: int
    how: How
    far: int = 1
    """How much it counts: what a step's own routine has observed is nearer than its callers'."""


class _Frame(NamedTuple):
    """A frame of a program, and for each value in its history the steps that it came from."""

    point: FramePoint
    causes: tuple[frozenset[int], ...] = ()

    @property
    def all_causes(self) -> frozenset[int]:
        """The steps that anything which the frame has observed came from."""
        return NO_STEPS.union(*self.causes)


class Causes:
    """The dependencies of a run's steps."""

    def __init__(self, steps: Sequence[RunStep]) -> None:
        self.edges: tuple[Edge, ...] = tuple(_edges(steps))
        self._earlier: dict[int, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            self._earlier[edge.later].append(edge)

    def of(self, step: int) -> Sequence[Edge]:
        """What a step depends on, directly."""
        return self._earlier.get(step, [])

    def sources(self, step: int) -> tuple[int, ...]:
        """The writes that a step reads from; of a store that reaches memory, its instruction."""
        told = (How.READS_FROM, How.ISSUED)
        return tuple(dict.fromkeys(edge.earlier for edge in self.of(step) if edge.how in told))

    def nearest(self, roots: Iterable[int], most: int) -> dict[int, int]:
        """At most so many steps that some steps depend on, the nearest; with their distances."""
        found: dict[int, int] = {}
        queue = [(0, -root) for root in sorted(roots)]
        while queue and len(found) < most:
            far, step = heappop(queue)
            if -step not in found:
                found[-step] = far
                for edge in self.of(-step):
                    heappush(queue, (far + edge.far, -edge.earlier))
        return found


def written(move: Move) -> range:
    """The words that reach memory with a move."""
    effect = move.effect
    assert isinstance(effect, Effect)
    if effect.write is None:
        return range(0)
    address, words = effect.write
    return range(address, address + len(words))


def read(step: RunStep) -> frozenset[int]:
    """The words that a step observes, by physical address."""
    move = step.move
    state = step.before.state.cpus[move.cpu]
    if move.kind != STEP or not state.mnemonic.startswith(READS):
        return NO_STEPS
    words = frozenset(n for kind, n in move.footprint.reads if kind == Kind.WORD)
    # The word that the exclusive monitor is armed on is in every footprint, read or not.
    return words - {state.monitor} or words


def _edges(steps: Sequence[RunStep]) -> Iterator[Edge]:
    frames = _Histories(steps)
    writer: dict[int, int] = {}
    issuer: dict[tuple[int, int], int] = {}
    last_met: dict[int, int] = {}
    for step in steps:
        move = step.move
        cpu = step.before.state.cpus[move.cpu]
        pending = cpu.buffer.stores
        met = None
        for word in sorted(read(step)):
            own = any(store.overlaps(word) for store in pending)
            source = issuer.get((move.cpu, word)) if own else writer.get(word)
            if source is not None:
                yield Edge(step.step, source, How.READS_FROM)
                if steps[source].move.cpu != move.cpu:
                    met = step.step
        if move.kind == STEP:
            if move.cpu in last_met:
                yield Edge(step.step, last_met[move.cpu], How.AFTER, FAR)
            if met is not None:
                last_met[move.cpu] = met
            for earlier, far in frames.observed(move.cpu).items():
                yield Edge(step.step, earlier, How.OBSERVED, far)
            frames.go_on(step, move.cpu)
        after = step.after.state.cpus[move.cpu].buffer.stores
        if move.kind == STEP and len(after) > len(pending):
            address = after[-1].address
            issuer.update(((move.cpu, address + i), step.step) for i in range(len(after[-1].words)))
        sources: dict[Edge, None] = {}
        for word in written(move):
            if move.kind != STEP and (move.cpu, word) in issuer:
                sources[Edge(step.step, issuer[move.cpu, word], How.ISSUED, 0)] = None
            if word in writer:
                sources[Edge(step.step, writer[word], How.OVERWRITES)] = None
            writer[word] = step.step
        yield from sources


class _Histories:
    """For each CPU the frames of its program, with the steps that their values came from."""

    def __init__(self, steps: Sequence[RunStep]) -> None:
        self._frames: dict[int, list[_Frame]] = {}
        for i, pe in enumerate(steps[0].before.state.cpus if steps else ()):
            self._frames[i] = [_Frame(p, (NO_STEPS,) * len(p.history)) for p in _stack(pe.point)]

    def observed(self, cpu: int) -> dict[int, int]:
        """The steps at which all was observed that the CPU's program goes by now.

        Each with its distance: 1 in the frame that runs, one more for each caller in between.
        """
        found: dict[int, int] = {}
        far = 0
        for frame in reversed(self._frames[cpu]):
            far += not frame.point.loop
            for step in sorted(frame.all_causes):
                found.setdefault(step, far)
        return found

    def go_on(self, step: RunStep, cpu: int) -> None:
        """Note what the step makes of the frames."""
        before, now = self._frames[cpu], _stack(step.after.state.cpus[cpu].point)
        frames: list[_Frame] = []
        for depth, point in enumerate(now):
            old = before[depth] if depth < len(before) and len(frames) == depth else None
            if old is None or not _continues(old.point, point):
                frames += [_Frame(p, (NO_STEPS,) * len(p.history)) for p in now[depth:]]
                break
            inner = NO_STEPS.union(*(frame.all_causes for frame in before[depth + 1 :]))
            new = point.history[len(old.point.history) :]
            came = inner | {step.step} if _observes(step, cpu) else inner
            causes = tuple(came if value is not None else NO_STEPS for value in new)
            frames.append(_Frame(point, old.causes + causes))
        self._frames[cpu] = frames


def _observes(step: RunStep, cpu: int) -> bool:
    """Whether a step of a program gives it a value."""
    mnemonic: str = step.before.state.cpus[cpu].mnemonic
    return mnemonic.startswith((*READS, "mrs", "stx", "stlx"))


def _stack(point: ControlPoint | None) -> list[FramePoint]:
    """The frames of a control point, the outermost first; the turns of a loop are frames.

    Machine code has none: what its steps depend on is the steps before (`How.AFTER`).
    """
    stack: list[FramePoint] = []
    while isinstance(point, FramePoint):
        stack.append(point)
        point = point.parent
    return stack[::-1]


def _continues(before: FramePoint, after: FramePoint) -> bool:
    """Whether it is the same frame, perhaps with more history."""
    n = len(before.history)
    return (
        before.function is after.function
        and before.loop == after.loop
        and before.path == after.path
        and before.args == after.args
        and before.history == after.history[:n]
    )
