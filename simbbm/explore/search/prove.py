"""From searches to a verdict: a proof, a nearest counterexample, or what kept it from either.

A scenario that should hold is searched with every reduction; only a failure is looked for again
without ample sets, which alone make counterexamples longer than they need be. A bad twin is first
searched without ample sets: the nearest failure is usually near, and then it is certified at once.

Whether a run may go on for ever is settled by a reduced search only if it meets no cycle at all
(`fairness`). If it does, all states are searched without ample sets, as far as `AROUND` or the
limits allow, on few CPUs first; if that is not far enough for all, the proof says for how many.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.errors import ModelError, UsageError
from simbbm.explore.counterexample.concrete import counterexample
from simbbm.explore.runs.live import require_live
from simbbm.explore.runs.play import play
from simbbm.explore.runs.schedule import Along
from simbbm.explore.search.attempt import Attempt, Interrupted
from simbbm.explore.search.breadth_first import NO_LIMITS, Limits, Progress, Searched
from simbbm.explore.search.coverage import never_awaited
from simbbm.explore.search.reductions.reduced_system import ReducedSystem
from simbbm.explore.witness.record import Found, Witness
from simbbm.explore.witness.recording import witness_from
from simbbm.model import Model

NEAR = 20_000
"""States in which a bad twin's failure is looked for before reductions are tried."""


AROUND = 100_000
"""States in which rounds are looked for that can be stayed in, if there is no other limit."""


class Termination(msgspec.Struct, frozen=True):
    """What is known of runs that might go on for ever, if none is known that does."""

    cycles: int
    """Strongly connected components of the states that were searched, those with an edge inside."""
    cpus: int | None
    """On so many CPUs every fair run ends, whatever hardware chooses; None: that is not known.

    On more, an end can be reached from every state.
    """


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an exhaustive search."""

    verdict: Verdict
    """PROVED, VIOLATED or STUCK; INCONCLUSIVE if a limit was hit first."""
    property: str | None = None
    message: str = ""
    run: tuple[int, ...] | None = None
    """The counterexample, as indices of moves."""
    loop: int | None = None
    """The step to which it comes back after the last, if it goes round for ever."""
    certified: bool | None = None
    """Of a counterexample: no shorter one exists."""
    also: tuple[tuple[Verdict, str], ...] = ()
    """Other failures that were met on the way."""
    states: int
    transitions: int
    depth: int
    layers: tuple[int, ...]
    """How many states are first reached at each distance from the start."""
    seconds: float
    reductions: tuple[str, ...]
    landmarks: dict[str, int]
    termination: Termination | None
    """Of PROVED."""
    labels: int
    """Steps of the programs that were come to."""
    never: tuple[str, ...]
    """Awaits in functions that ran which were not (`coverage`)."""
    notes: tuple[str, ...] = ()
    """What to know of the machine that was searched."""


class Prover:
    """Looks at one model."""

    def __init__(
        self,
        model: Model,
        limits: Limits = NO_LIMITS,
        tell: Callable[[Progress], object] | None = None,
        *,
        symmetry: bool = True,
        ample: bool = True,
        doubtful: bool = False,
    ) -> None:
        self.model = model
        self.limits = limits
        self.tell = tell
        self.symmetry = symmetry
        self.ample = ample
        self.doubtful = doubtful
        """A failure would be no surprise: look near first, as for a bad twin."""
        self.wanted = frozenset(model.scenario.expect.failures) or None
        self.began = monotonic()

    def prove(self) -> Proof:
        """Search as far as the limits allow; raise Interrupted where Ctrl-C ends it."""
        if self.ample and self.wanted is None and not self.doubtful:
            return self._hope()
        near = self.limits.states if not self.ample else min(NEAR, self.limits.states or NEAR)
        first = self._attempt(ample=False, states=near)
        if not self.ample or first.searched.complete or self._found(first):
            return self.proof(first)
        return self._hope()

    def _hope(self) -> Proof:
        """Search with every reduction; look again for the nearest of what it finds."""
        reduced = self._attempt(ample=True, states=self.limits.states)
        if not reduced.searched.failures:
            known = reduced.searched.rounds
            return self.proof(reduced) if known is None or known.left else self._around(reduced)
        try:
            whole = self._attempt(ample=False, states=self.limits.states)
        except Interrupted:
            raise Interrupted(reduced) from None  # which has found more
        return self.proof(whole if self._found(whole) else reduced)

    def _around(self, reduced: Attempt) -> Proof:
        """Nothing fails, but runs can go round: find out whether one may do so for ever.

        On few CPUs first, which costs little, and on more as long as the limits allow.
        """
        proof, told, asked = self.proof(reduced), "", self.model.params.get("cpus")
        fewest = next((p.min or 1 for p in self.model.scenario.parameters if p.name == "cpus"), 0)
        for cpus in (*range(fewest, asked or 0), asked):
            if told and cpus != asked:
                continue
            try:
                model = self.model if cpus == asked else self.model.with_(cpus=cpus)
            except UsageError:
                continue  # Other parameters name CPUs that are not there.
            states = self.limits.states or AROUND
            attempt = self._attempt(ample=False, states=states, model=model)
            if failure := attempt.failure(self.wanted):
                if cpus == asked:
                    return self.proof(attempt)
                told = f"with cpus={cpus}: {failure.problem.message}"
                continue
            if not attempt.searched.complete:
                break
            proof = msgspec.structs.replace(proof, termination=_termination(attempt))
            if cpus == asked:
                return proof
        if told:
            verdict = Verdict.INCONCLUSIVE
            return msgspec.structs.replace(proof, verdict=verdict, message=told, termination=None)
        return proof

    def _found(self, attempt: Attempt) -> bool:
        failure = attempt.failure(self.wanted)
        return failure is not None and (self.wanted is None or failure.kind in self.wanted)

    def _attempt(self, *, ample: bool, states: int | None, model: Model | None = None) -> Attempt:
        limits = msgspec.structs.replace(self.limits.left(self.began), states=states)
        return Attempt(
            model or self.model,
            limits,
            self.wanted,
            self.tell,
            symmetry=self.symmetry,
            ample=ample,
        )

    def proof(self, attempt: Attempt) -> Proof:
        """What a search has come to, also one that was interrupted."""
        searched, space = attempt.searched, attempt.space
        failure = attempt.failure(self.wanted)
        automaton = space.system.spec.automaton
        verdict, message = Verdict.PROVED, ""
        if failure:
            verdict, message = failure.verdict, failure.problem.message
            require_live(self.model, automaton, fails=True)
        elif not searched.complete:
            verdict, message = Verdict.INCONCLUSIVE, _cut_short(searched, space)
        elif doubt := require_live(self.model, automaton, complete=True):
            verdict, message = Verdict.INCONCLUSIVE, doubt
        run = counterexample(attempt.search, failure) if failure else None
        return Proof(
            verdict=verdict,
            property=failure.problem.property if failure else None,
            message=run.message if run else message,
            run=run.moves if run else None,
            loop=run.loop if run else None,
            certified=space.ample is None if failure else None,
            also=tuple(f.kind for f in searched.failures if f is not failure),
            states=searched.states,
            transitions=searched.transitions,
            depth=searched.depth,
            layers=searched.layers,
            seconds=monotonic() - self.began,
            reductions=space.reductions,
            landmarks=dict(searched.counts),
            termination=_termination(attempt) if verdict is Verdict.PROVED else None,
            labels=len(automaton.labels),
            never=tuple(never_awaited(automaton)),
            notes=space.system.notes,
        )


def _termination(attempt: Attempt) -> Termination:
    """What one complete search says of runs that might go on for ever."""
    known = attempt.searched.rounds
    assert known is not None
    cpus = len(attempt.space.system.spec.cpus)
    return Termination(known.components, cpus if known.left else None)


def _cut_short(searched: Searched, space: ReducedSystem) -> str:
    told = f"{searched.stopped}: not every state was visited"
    if space.ample is None:
        told += f"; nothing fails within the first {searched.depth} steps"
    return told


def counterexample_of(model: Model, proof: Proof) -> Witness | None:
    """The witness of a proof's counterexample; None if it has none."""
    if proof.run is None:
        return None
    way = proof.verdict, proof.property
    return witness_along(model, proof.run, loop=proof.loop, way=way)


def witness_along(
    model: Model,
    moves: tuple[int, ...],
    found_by: str = "explore",
    *,
    loop: int | None = None,
    way: tuple[Verdict, str | None] | None = None,
) -> Witness:
    """Play these moves again and record a witness. If the run has not ended, it is a livelock.

    With a `loop` the steps from that one on are once round it. Raise ModelError if the run does not
    fail in this way, when one is given.
    """
    run = play(model, Along(moves), len(moves), loop=loop)
    if way is not None and (run.verdict, run.property) != way:
        raise ModelError(
            f"{model.scenario.id} is {way[0]}:{way[1]} for a search, and {run.verdict}:"
            f"{run.property} for the run that it found"
        )
    return witness_from(run, Found(found_by, 0, 0))
