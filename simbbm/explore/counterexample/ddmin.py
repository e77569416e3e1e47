"""Shorter runs by leaving things out: for failures that are too deep for a search of all states.

A candidate is a list of labels. It is followed leniently: what is not enabled is passed over, and
when the list is at its end the polite schedule goes on. Whatever run comes of it counts, if it
fails in the same way and is shorter, or as long and politer. Tried are: what the failure depends
on (a causal slice by footprints); the labels without some of them (A. Zeller, R. Hildebrandt,
"Simplifying and isolating failure-inducing input", TSE 28(2), 2002), down to single ones; and the
polite choice in place of each that was not. The result is minimal in the sense that none of these
makes it shorter, and it is the same when tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from simbbm.arm64.footprints import own_cell
from simbbm.check.verdict import Verdict
from simbbm.core.graph import Graph
from simbbm.core.system import Move
from simbbm.explore.runs.walk import Walk, enabled
from simbbm.explore.search.attempt import Way, way_of
from simbbm.explore.search.livelock import ended_if_lost, ended_if_round

AROUND = 2_000
"""States in which a round is looked for that a run may stay in from where its labels lead."""

Labels = tuple[str, ...]


class Failing(NamedTuple):
    """A failing run."""

    labels: Labels
    moves: tuple[int, ...]
    """Indices of moves."""
    decisions: tuple[tuple[int, str], ...]
    """Steps at which it differs from the polite schedule, and the polite label there."""
    taken: tuple[Move, ...]
    blamed: int | None
    """The CPU that the failure is about."""

    @property
    def size(self) -> tuple[int, int]:
        """What is to be made smaller."""
        return len(self.labels), len(self.decisions)


def ddmin(graph: Graph[Any], labels: Sequence[str], way: Way, *, around: bool = False) -> Failing:
    """Make a failing run shorter until nothing gives; `around`: the way into a round."""
    run = _followed(graph, tuple(labels), way, around=around)
    assert run is not None
    better: Failing | None = run
    while better:
        run = better
        better = _better(graph, run, way, around=around)
    return run


def _better(graph: Graph[Any], run: Failing, way: Way, *, around: bool) -> Failing | None:
    """The first candidate that fails alike and is smaller."""
    for labels in _candidates(run):
        found = _followed(graph, labels, way, len(run.labels), around=around)
        if found and found.size < run.size:
            return found
    return None


def _candidates(run: Failing) -> Iterator[Labels]:
    labels = run.labels
    yield _slice(run)
    chunk = len(labels) // 2
    while chunk:
        for start in range(0, len(labels), chunk):
            yield labels[:start] + labels[start + chunk :]
        chunk //= 2
    for step, polite in run.decisions:
        yield (*labels[:step], polite, *labels[step:])


def _slice(run: Failing) -> Labels:
    """What the last step and the state of the CPU that is to blame depend on."""
    *earlier, last = run.taken
    blamed = () if run.blamed is None else (own_cell(run.blamed),)
    needed = {*last.footprint.reads, *last.footprint.writes, *blamed}
    kept = [last.label]
    for move in reversed(earlier):
        if needed & move.footprint.writes:
            needed |= move.footprint.reads
            kept.append(move.label)
    return tuple(reversed(kept))


def _followed(
    graph: Graph[Any],
    labels: Labels,
    way: Way,
    longest: int | None = None,
    *,
    around: bool = False,
) -> Failing | None:
    """The run that labels lead to, if it fails in this way and is no longer than that."""
    walk, decisions = Walk(graph), []
    limit = len(labels) if longest is None else longest
    wanted = iter(labels)
    for _ in range(limit):
        if walk.ended:
            break
        k = next((k for label in wanted if (k := enabled(walk.node, label)) is not None), None)
        if k is None and way[0] is Verdict.STUCK:
            if around:
                break
            walk.node = ended_if_lost(graph, walk.node)
            if walk.ended:
                break
        default = walk.polite()
        if k not in (None, default):
            decisions.append((len(walk.path), walk.node.moves[default].label))
        walk.take(default if k is None else k)
    node = walk.node
    if way[0] is Verdict.STUCK:
        node = ended_if_round(graph, node, AROUND) if around else ended_if_lost(graph, node)
    if way_of(node) != way or node.problem is None:
        return None
    taken = tuple(node.moves[k] for node, k in walk.path)
    return Failing(
        tuple(move.label for move in taken),
        tuple(k for _, k in walk.path),
        tuple(decisions),
        taken,
        node.problem.cpu,
    )
