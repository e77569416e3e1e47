"""Following a recorded schedule exactly: each decision at its own step, politely in between."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simbbm.check.verdict import Verdict
from simbbm.core.choice import Polite
from simbbm.core.errors import ReplayDivergence
from simbbm.core.graph import Node
from simbbm.explore.runs.play import MAX_STEPS, Player, Run
from simbbm.explore.witness.record import STATE_EVERY, Witness
from simbbm.model import Model


class Diverged(ReplayDivergence):
    """A witness does not fit any more: at this step it expects what is not there."""

    def __init__(self, step: int, expected: str, got: tuple[str, ...]) -> None:
        found = ", ".join(got) or "nothing"
        hint = "simbbm replay finds out whether there is another way to what it shows"
        super().__init__(f"step {step}: expected {expected}, got {found}", hint)
        self.step = step
        self.expected = expected
        self.got = got

    def __reduce__(self) -> Any:
        return Diverged, (self.step, self.expected, self.got)


def followed(witness: Witness, model: Model) -> Run:
    """The run that was recorded; raise Diverged where it is not the same any more.

    That may be its end alone: another verdict, another property, or another number of steps.
    """
    run = played(witness, model)
    if (run.verdict, run.property, run.steps) != (
        witness.verdict,
        witness.property,
        witness.steps,
    ):
        wanted = f"{told(witness.verdict, witness.property)} after {witness.steps} steps"
        raise Diverged(run.steps, wanted, (told(run.verdict, run.property),))
    return run


def followed_to(witness: Witness, model: Model, step: int) -> tuple[Run, Diverged | None]:
    """The recorded run before a step; where it diverges earlier, up to there, and the error."""
    try:
        if step == witness.steps:
            return followed(witness, model), None
        return Player(model).walk(Exactly(witness, model), step), None
    except Diverged as error:
        return Player(model).walk(Exactly(witness, model), error.step), error


def played(witness: Witness, model: Model) -> Run:
    """Play the recorded schedule, however it ends now; raise Diverged where it is not possible.

    A run that was given up is played as far as it was recorded.
    """
    player = Player(model, max(MAX_STEPS, witness.steps))
    if witness.verdict is Verdict.INCONCLUSIVE:
        run = player.walk(Exactly(witness, model), witness.steps)
    elif witness.loop is not None:
        run = player.play(Exactly(witness, model), witness.steps, loop=witness.loop)
    else:
        livelock = witness.verdict is Verdict.STUCK  # or a deadlock: a witness does not say which
        steps = witness.steps if livelock else player.max_steps
        run = player.play_on(lambda: Exactly(witness, model), steps)
    _require_all(witness, run)
    return run


def _require_all(witness: Witness, run: Run) -> None:
    """Raise Diverged if a run ended before all that was recorded was met."""
    _check_state(witness, run.model, run.steps, run.end)
    if left := [decision for decision in witness.decisions if decision.step >= run.steps]:
        raise Diverged(run.steps, left[0].label, (f"the run has ended: {run.end.ended}",))


def _check_state(witness: Witness, model: Model, step: int, node: Node[Any]) -> None:
    """Raise Diverged if another state was recorded before this step."""
    number, between = divmod(step, STATE_EVERY)
    if between or number >= len(witness.states):
        return
    digest, expected = model.system.digest(node.state), witness.states[number]
    if digest != expected:
        raise Diverged(step, f"state {expected}", (f"state {digest}",))


class Exactly:
    """A chooser that takes every recorded decision at its own step, and else is polite.

    Raises Diverged where a decision is not enabled, and where another state was recorded.
    """

    def __init__(self, witness: Witness, model: Model) -> None:
        self._witness = witness
        self._model = model
        self._decisions = {decision.step: decision for decision in witness.decisions}
        self._polite = Polite()
        self._taken = Counter[str]()
        self._step = 0

    def choose(self, node: Node[Any]) -> int:
        """Return the move that was recorded for this step."""
        _check_state(self._witness, self._model, self._step, node)
        k = self._polite.default(node)
        if decision := self._decisions.get(self._step):
            k = self._find(node, decision.label)
            if self._taken[decision.label] + 1 != decision.occurrence:
                wanted = f"{decision.label} for the {decision.occurrence}th time"
                got = f"{self._taken[decision.label] + 1}th time"
                raise Diverged(self._step, wanted, (got,))
        self._polite.observe(node, k)
        self._taken[node.moves[k].label] += 1
        self._step += 1
        return k

    def _find(self, node: Node[Any], label: str) -> int:
        labels = tuple(move.label for move in node.moves)
        if label not in labels:
            raise Diverged(self._step, label, labels)
        return labels.index(label)


def told(verdict: Verdict, name: str | None) -> str:
    """Verdict and property, as expectations are written."""
    return f"{verdict}:{name}" if name else str(verdict)
