"""Shorter runs by leaving things out: for failures that are too deep for a search of all states.

A candidate is a list of labels. Labels that are not enabled where they are due are left out, and
after the last one the run continues politely. The run is accepted if it fails in the same way and
is shorter, or as long with fewer decisions against the polite schedule. The candidates are: the
labels that the failure depends on (a causal slice by footprints); the labels without some of them
(A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", TSE 28(2), 2002),
down to single ones; and the polite choice in place of each decision. The result is minimal: no
candidate of it is accepted. So shrinking it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simbbm.arm64.footprints import own_cell
from simbbm.check.verdict import Verdict
from simbbm.explore.runs.play import Player, Run
from simbbm.explore.runs.schedule import Along
from simbbm.explore.runs.walk import Walk, enabled
from simbbm.explore.search.attempt import FailureKind, failure_kind
from simbbm.model import Model

AROUND = 2_000
"""States in which a fair round is looked for at the end of a candidate."""

Labels = tuple[str, ...]


def ddmin(model: Model, labels: Sequence[str], way: FailureKind, *, around: bool = False) -> Run:
    """Make a failing run shorter until no candidate is accepted.

    `around`: it fails where its labels end, since a fair round begins there.
    """
    player = Player(model, len(labels))
    run = _followed(player, tuple(labels), way, around=around)
    assert run is not None
    better: Run | None = run
    while better:
        run = better
        better = _better(player, run, way, around=around)
    return run


def _better(player: Player, run: Run, way: FailureKind, *, around: bool) -> Run | None:
    """The run of the first candidate that fails in the same way and is smaller."""
    player.max_steps = run.steps
    for labels in _candidates(run):
        found = _followed(player, labels, way, around=around)
        if found and _size(found) < _size(run):
            return found
    return None


def _size(run: Run) -> tuple[int, int]:
    """What is made smaller: the number of steps, then of decisions."""
    return run.steps, len(run.schedule.decisions)


def _candidates(run: Run) -> Iterator[Labels]:
    labels = run.labels
    yield _slice(run)
    chunk = len(labels) // 2
    while chunk:
        for start in range(0, len(labels), chunk):
            yield labels[:start] + labels[start + chunk :]
        chunk //= 2
    for decision in run.schedule.decisions:
        step = decision.step
        yield (*labels[:step], decision.instead_of, *labels[step:])


def _slice(run: Run) -> Labels:
    """The labels that the last step, and the state of the CPU that is to blame, depend on."""
    *earlier, last = run.moves
    blamed = run.end.problem.cpu if run.end.problem else None
    own = () if blamed is None else (own_cell(blamed),)
    needed = {*last.footprint.reads, *last.footprint.writes, *own}
    kept = [last.label]
    for move in reversed(earlier):
        if needed & move.footprint.writes:
            needed |= move.footprint.reads
            kept.append(move.label)
    return tuple(reversed(kept))


def _followed(
    player: Player,
    labels: Labels,
    way: FailureKind,
    *,
    around: bool = False,
) -> Run | None:
    """The run of a candidate; None if it does not fail in this way within the player's steps."""
    moves = _enabled(player, labels)
    if way[0] is not Verdict.STUCK:
        run = player.walk(Along(moves))
    elif around:
        run = player.play(Along(moves), len(moves), around=AROUND, record=True)
    else:
        run = player.play_on(lambda: Along(moves), len(moves))
    return run if failure_kind(run.end) == way else None


def _enabled(player: Player, labels: Labels) -> tuple[int, ...]:
    """The moves of these labels, without those that are not enabled when it is their turn."""
    walk = Walk(player.model.graph)
    for label in labels:
        if walk.ended or len(walk.path) == player.max_steps:
            break
        k = enabled(walk, label)
        if k is not None:
            walk.take(k)
    return walk.moves
