"""What a counterexample owes to hardware: which of the architecture's freedoms it used and needs.

A freedom (`arm64.features.FREEDOMS`) is *used* if this very run cannot be followed on hardware that
lacks it: a step of its programs is not possible there, or it ends otherwise. Steps of hardware are
passed over where there is nothing left to do, since prompt hardware has done it already. It is
*needed* if without it no run at all fails in this way, which an exhaustive search decides.

A freedom that is not needed by itself may still be one of several of which some is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from simbbm.arm64.features import Hardware
from simbbm.check.verdict import Verdict
from simbbm.core.system import STEP, Move
from simbbm.explore.runs.walk import Walk, enabled
from simbbm.explore.search.attempt import Attempt, Way, way_of
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.livelock import ended_if_lost, ended_if_round
from simbbm.explore.witness.record import Witness
from simbbm.model import Model


class Allowances(NamedTuple):
    """Names of freedoms, in the order of `FREEDOMS`."""

    used: tuple[str, ...]
    needed: tuple[str, ...]
    undecided: tuple[str, ...]
    """Used, and perhaps needed: there were too many states to find out."""


def allowances(witness: Witness, model: Model, run: Sequence[Move], states: int) -> Allowances:
    """Take away from the hardware of a counterexample, whose `run` this is, one freedom at a time.

    What the run does not use, it does not need: it is a failure without that freedom itself.
    A search gives up after so many `states`.
    """
    assert witness.property is not None
    way = witness.verdict, witness.property
    used, needed, undecided = [], [], []
    for name in model.setup.hardware.freedoms:
        poorer = model.on(partial(Hardware.without, freedom=name))
        if _can_be_followed(poorer, witness, run, way):
            continue
        used.append(name)
        possible = _is_possible(poorer, way, states)
        if possible is None:
            undecided.append(name)
        elif not possible:
            needed.append(name)
    return Allowances(tuple(used), tuple(needed), tuple(undecided))


def _can_be_followed(model: Model, witness: Witness, run: Sequence[Move], way: Way) -> bool:
    """Whether a run leads to the same failure here; of one that goes round, its way in."""
    run = run[: witness.loop]
    walk = Walk(model.graph)
    for step in run:
        if walk.ended:
            break
        k = enabled(walk.node, step.label)
        if k is not None:
            walk.take(k)
        elif step.kind == STEP:
            return False
    node = walk.node
    if way[0] is Verdict.STUCK:
        stuck = ended_if_lost if witness.loop is None else ended_if_round
        node = stuck(model.graph, node)
    return way_of(node) == way


def _is_possible(model: Model, way: Way, states: int) -> bool | None:
    """Whether any run fails in this way; None if that is not known.

    With persistent sets a search may meet another failure in place of one that it is looking for
    (`ample`), and rounds that can be left are not looked for: only a search that meets neither
    failures nor cycles has shown that there is none.
    """
    for ample in (True, False):
        attempt = Attempt(model, Limits(states=states), frozenset({way}), ample=ample)
        if attempt.found(way):
            return True
        if not attempt.searched.complete:
            return None
        known = attempt.searched.rounds
        if not attempt.searched.failures and known is not None and known.left:
            break
    return False
