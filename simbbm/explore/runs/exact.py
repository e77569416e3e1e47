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
    """A witness no longer fits: at this step it wants what is not there."""

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
    """The run that was recorded; raise ReplayDivergence where it is no longer possible.

    That may be at its end alone, if it ends otherwise than was recorded.
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


def followed_to(witness: Witness, model: Model, step: int) -> Run:
    """Likewise as far as a step, whatever comes then."""
    return Player(model, step).walk(Exactly(witness, model))


def played(witness: Witness, model: Model) -> Run:
    """Play what was recorded; it may end otherwise. Raise Diverged where it cannot be followed.

    Of a run that was given up nothing is known but how far it came.
    """
    if witness.verdict is Verdict.INCONCLUSIVE:
        return _along(witness, Player(model, witness.steps), judged=False)
    if witness.verdict is Verdict.STUCK or witness.loop is not None:
        # It may have been cut short where it goes round for ever.
        run = _along(witness, Player(model, witness.steps))
        if run.end.ended is not None or witness.loop is not None:
            return run
    return _along(witness, Player(model, max(MAX_STEPS, witness.steps)))


def _along(witness: Witness, player: Player, *, judged: bool = True) -> Run:
    exactly = Exactly(witness, player.model)
    run = player.play(exactly, loop=witness.loop, record=True) if judged else player.walk(exactly)
    if run.steps < player.max_steps:
        exactly.has_ended(run.end)
    return run


class Exactly:
    """A chooser that takes every recorded decision at its own step, and else is polite.

    Raises Diverged where that is not possible, and where a recorded state is not met.
    """

    def __init__(self, witness: Witness, model: Model) -> None:
        self._decisions = {decision.step: decision for decision in witness.decisions}
        self._states = witness.states
        self._digest = model.system.digest
        self._polite = Polite()
        self._taken = Counter[str]()
        self._step = 0

    def choose(self, node: Node[Any]) -> int:
        """Return the move that was recorded for this step."""
        self._check_state(node)
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

    def has_ended(self, node: Node[Any]) -> None:
        """Take note that nothing follows; raise Diverged if a decision is left."""
        self._check_state(node)
        if left := [d for d in self._decisions.values() if d.step >= self._step]:
            raise Diverged(self._step, left[0].label, (f"the run has ended: {node.ended}",))

    def _find(self, node: Node[Any], label: str) -> int:
        labels = tuple(move.label for move in node.moves)
        if label not in labels:
            raise Diverged(self._step, label, labels)
        return labels.index(label)

    def _check_state(self, node: Node[Any]) -> None:
        number, between = divmod(self._step, STATE_EVERY)
        if between or number >= len(self._states):
            return
        digest, expected = self._digest(node.state), self._states[number]
        if digest != expected:
            raise Diverged(self._step, f"state {expected}", (f"state {digest}",))


def told(verdict: Verdict, name: str | None) -> str:
    """Verdict and property, as expectations are written."""
    return f"{verdict}:{name}" if name else str(verdict)
