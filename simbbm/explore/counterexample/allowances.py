"""Which of the architecture's freedoms a counterexample uses, and which it needs.

A freedom (`arm64.features.FREEDOMS`) is *used* if this run does not exist on hardware that lacks
it: a step of a program is not enabled there, or the run ends differently. Steps of hardware that
are not enabled are left out, since prompt hardware has made them already. A freedom is *needed* if
without it no run at all fails in this way, which an exhaustive search decides.

If two freedoms serve alike, neither is needed by itself, though one of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from simbbm.arm64.cpu import ON
from simbbm.arm64.features import (
    COMBINED_ENTRY,
    ERRATUM,
    HARDWARE_AF,
    PHYSICAL_CACHE,
    STALE_TEXT,
    UNKNOWN_RESET,
    Hardware,
)
from simbbm.core.system import STEP, Move
from simbbm.explore.counterexample.explanation import Allowances
from simbbm.explore.runs.play import Player
from simbbm.explore.runs.schedule import Along
from simbbm.explore.runs.walk import Walk, enabled
from simbbm.explore.search.attempt import Attempt, FailureKind, failure_kind
from simbbm.explore.search.breadth_first import Limits
from simbbm.explore.search.livelock import ROUND
from simbbm.explore.witness.record import Witness
from simbbm.model import Model
from simbbm.scenario import Setup


def allowances(witness: Witness, model: Model, run: Sequence[Move], states: int) -> Allowances:
    """Take one freedom at a time away from the hardware of a counterexample; `run` are its moves.

    A freedom that the run does not use is not needed: the run itself fails without it. Each search
    gives up after `states`.
    """
    assert witness.property is not None
    way = witness.verdict, witness.property
    used, needed, undecided = [], [], []
    idle = _idle(model.setup)
    for name in model.setup.hardware.freedoms:
        if name in idle:
            continue
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


def _idle(setup: Setup) -> frozenset[str]:
    """Freedoms of what no CPU of this machine has: without them it is the same machine."""
    cpus = setup.cpus
    has = {
        COMBINED_ENTRY: any(cpu.regime.vttbr for cpu in cpus),
        UNKNOWN_RESET: any(cpu.power != ON for cpu in cpus),
        HARDWARE_AF: any(cpu.features.updates_descriptors for cpu in cpus),
        PHYSICAL_CACHE: not all(cpu.features.ntlbpa for cpu in cpus),
        ERRATUM: any(cpu.features.errata for cpu in cpus),
        STALE_TEXT: bool(setup.text),
    }
    return frozenset(name for name, is_there in has.items() if not is_there)


def _can_be_followed(model: Model, witness: Witness, run: Sequence[Move], way: FailureKind) -> bool:
    """Whether a run exists on this model and fails in the same way; of a livelock, its way in."""
    walk = Walk(model.graph)
    for step in run[: witness.loop]:
        if walk.ended:
            break
        k = enabled(walk, step.label)
        if k is not None:
            walk.take(k)
        elif step.kind == STEP:
            return False
    around = None if witness.loop is None else ROUND
    played = Player(model, len(walk.path)).play(Along(walk.moves), around=around)
    return failure_kind(played.end) == way


def _is_possible(model: Model, way: FailureKind, states: int) -> bool | None:
    """Whether any run fails in this way; None if the limit was hit first.

    A search with persistent sets (`ample`) may meet another failure instead of this one, and does
    not look for rounds that can be left. So it shows that there is none only if it meets neither
    failures nor cycles; otherwise all states are searched.
    """
    for ample in (True, False):
        limits, wanted = Limits(states=states), frozenset({way})
        attempt = Attempt(model, limits, wanted, ample=ample, system=model.system)
        if attempt.found(way):
            return True
        if not attempt.searched.complete:
            return None
        known = attempt.searched.rounds
        if not attempt.searched.failures and known is not None and known.left:
            break
    return False
