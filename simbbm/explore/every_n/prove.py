"""The proof for every number of CPUs, and what is done where there is none.

1. All states of 2, 3, ... k + 1 CPUs are searched: a failure there is the answer.
2. The views of k others are closed under all steps (`views`). The comparisons that programs make
   with counters are found on the way, first with a single other CPU, which is quick; with each new
   one the views are begun again.
3. Without a bad view, and without one in which everybody may wait (`stuck`), the proof is done,
   and whether every run ends is asked (`termination`).
4. Otherwise machines of more CPUs are searched for what the view shows. If none of them fails, the
   answer is POSSIBLE: nothing is known of the view but that these machines do not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from simbbm.check.verdict import Verdict
from simbbm.core.errors import UsageError
from simbbm.core.programs.symbols import RefusedError, asked, compared, refusals
from simbbm.explore.every_n.abstraction import Abstraction, HoldsSomething
from simbbm.explore.every_n.actions import NotAnswered
from simbbm.explore.every_n.counting import ZERO, Counting, Refused, Target
from simbbm.explore.every_n.setting import model_for_all
from simbbm.explore.every_n.stuck import stuck
from simbbm.explore.every_n.termination import Level, ending
from simbbm.explore.every_n.unseen import refusal
from simbbm.explore.every_n.views import Cut, Limit, Views, final_problem
from simbbm.explore.search.breadth_first import NO_LIMITS, Limits
from simbbm.explore.search.prove import Proof, Prover
from simbbm.host.memory import memory_used
from simbbm.model import Model
from simbbm.scenario import Scenario

VIEWS = 2
"""k, if nothing else is asked for."""
MOST_CPUS = 6
"""CPUs up to which a bad view is looked for."""
NEAR = 200_000
"""States of each of these machines."""
FEW = 100
"""Configurations between two looks at the limits."""


class Compared(NamedTuple):
    """What programs compare counters with."""

    targets: Mapping[str, tuple[Target, ...]]
    guesses: Mapping[str, frozenset[str]]
    """Readings with which readings are compared, by labels of steps."""


class EveryN(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    verdict: Verdict
    property: str | None = None
    message: str = ""
    k: int
    cpus: int | None = None
    """Of a counterexample: the smallest number of CPUs that has one."""
    few: tuple[Proof, ...] = ()
    """The searches of 2, 3, ... CPUs."""
    failed: Proof | None = None
    """The search that found the counterexample."""
    terminates: bool | None = None
    """Whether every run ends; None: it is not promised, or was not asked."""
    rounds: tuple[str, ...] = ()
    """Where it is open: steps that may come again and again."""
    levels: tuple[Level, ...] | None = None
    """What runs use up, if every run ends."""
    counters: tuple[str, ...] = ()
    """Those that a program compares with something."""
    views: int = 0
    shared_states: int = 0
    local_states: int = 0
    glued: int = 0
    seconds: float = 0.0
    closed: Views | None = None


class ProverForAll:
    """Proves one scenario for every number of CPUs."""

    def __init__(
        self,
        scenario: Scenario,
        params: Mapping[str, Any],
        limits: Limits = NO_LIMITS,
        *,
        k: int = VIEWS,
        ample: bool = True,
        tell: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.scenario = scenario
        self.ample = ample
        """Whether searches of few CPUs, and views, leave out moves that nobody can tell apart."""
        self.reduce = ample
        self.params = {name: value for name, value in params.items() if name != "cpus"}
        self.limits = limits
        self.k = k
        self.tell = tell
        self.began = monotonic()
        self.few: list[Proof] = []
        self._asked = Compared({}, {})

    def prove(self) -> EveryN:
        """The answer, as far as the limits allow."""
        if self.k < 2:
            raise UsageError(f"views of {self.k}", "take 2 or more: of fewer there are too many")
        try:
            model = model_for_all(self.scenario, self.params, self.k)
            refused = None
        except Refused as error:
            model, refused = None, error
        for cpus in range(2, self.k + 2):
            if answer := self._search(cpus, self.limits.states):
                return answer
        if model is None:
            return self._inconclusive(f"refused: {refused}")
        try:
            try:
                return self._of_views(model, self._closed(model))
            except HoldsSomething:
                self.reduce = False
                return self._of_views(model, self._closed(model))
        except Refused as error:
            return self._inconclusive(f"refused: {error}")
        except RefusedError as error:  # a property has looked at a symbol
            return self._inconclusive(f"refused: {error}")
        except Cut as cut:
            return self._inconclusive(f"{cut}: not every view was found")

    def _search(self, cpus: int, states: int | None) -> EveryN | None:
        """Search a machine; the answer, if it fails or there is none."""
        try:
            model = Model(self.scenario, {**self.params, "cpus": cpus})
        except UsageError as error:
            return self._inconclusive(f"with cpus={cpus}: {error}")
        limits = msgspec.structs.replace(self.limits.left(self.began), states=states)
        proof = Prover(model, limits, ample=self.ample).prove()
        if proof.verdict is not Verdict.PROVED:
            failed = None if proof.verdict is Verdict.INCONCLUSIVE else proof
            told = proof.message if failed else f"with cpus={cpus}: {proof.message}"
            return self._answer(
                proof.verdict, told, property=proof.property, cpus=cpus, failed=failed
            )
        self.few.append(proof)
        return None

    def _closed(self, model: Model) -> Views:
        """All views, with whatever programs compare counters with."""
        for k in (1, self.k):
            while True:
                again = model.anew(relearn=True)
                views = views_of(again, self._asked, self.k, few=k, reduce=self.reduce)
                try:
                    if k < self.k:
                        _rehearse(views, self._limit)
                    else:
                        views.close(self._limit)
                except NotAnswered:
                    self._asked = _with_questions(self._asked)
                else:
                    break
        return views

    def _limit(self, glued: int) -> str | None:
        """Why to go no further."""
        if glued % FEW:
            return None
        self.tell(glued)
        if self.limits.left(self.began).seconds == 0:
            return self.limits.out_of_time()
        if self.limits.memory is not None and memory_used() > self.limits.memory:
            return "--max-memory reached"
        return None

    def _of_views(self, model: Model, views: Views) -> EveryN:
        """What the closed views say."""
        views.abstraction.system.recheck()
        if why := refusal(views.abstraction.system.spec.automaton):
            raise Refused(why)
        if views.bad:
            bad = next(iter(views.bad))
            told = f"a view in which {bad.problem.message} (after {bad.label})"
            return self._look_for(views, told, bad.problem.property)
        if problem := final_problem(views):
            return self._look_for(views, f"a view in which {problem.message}", problem.property)
        if waiting := next(stuck(views), None):
            told = f"a view in which all may wait: in {', '.join(waiting.waits)}"
            return self._look_for(views, told, "terminates")
        promised = any(p.name == "terminates" for p in model.setup.properties)
        levels, left = ending(views)
        ends = not left and all(
            proof.termination and (proof.termination.cpus or 0) >= cpus
            for cpus, proof in enumerate(self.few, 2)
        )
        return self._answer(
            Verdict.PROVED,
            "",
            views=views,
            terminates=ends if promised else None,
            rounds=left,
            levels=levels if ends else None,
        )

    def _look_for(self, views: Views, told: str, name: str) -> EveryN:
        """Search machines of more CPUs for what a view shows."""
        for cpus in range(self.k + 2, MOST_CPUS + 1):
            answer = self._search(cpus, self.limits.states or NEAR)
            if answer and answer.failed:
                return answer
            if answer:
                break
        return self._answer(Verdict.POSSIBLE, told, views=views, property=name)

    def _inconclusive(self, told: str) -> EveryN:
        return self._answer(Verdict.INCONCLUSIVE, told)

    def _answer(
        self, verdict: Verdict, message: str, *, views: Views | None = None, **more: Any
    ) -> EveryN:
        figures: dict[str, Any] = {}
        if views is not None:
            parts, counting = views.parts, views.abstraction.counting
            figures = {
                "views": views.count,
                "shared_states": len(views.of),
                "local_states": len(parts.locals),
                "glued": views.glued,
                "counters": tuple(
                    counter.name
                    for counter, targets in zip(counting.counters, counting.targets, strict=True)
                    if targets or counter.calls is not None
                ),
                "closed": views,
            }
        return EveryN(
            verdict=verdict,
            message=message,
            k=self.k,
            few=tuple(self.few),
            seconds=monotonic() - self.began,
            **figures,
            **more,
        )


def views_of(model: Model, known: Compared, k: int, *, few: int, reduce: bool) -> Views:
    """No views yet, of a machine whose counters are compared with this."""
    addresses = tuple(sorted(model.setup.counters))
    counters = tuple(model.setup.counters[a] for a in addresses)
    targets = []
    for counter in counters:
        own = known.targets.get(counter.name, ())
        needed = (ZERO,) if counter.announces is not None and ZERO not in own else ()
        targets.append((*own, *needed))
    counting = Counting(addresses, counters, tuple(targets), k + 2)
    asked.clear()
    compared.clear()
    refusals.clear()
    abstraction = Abstraction(model.system, counting, reduce=reduce)
    return Views(abstraction, known.guesses, few)


def _with_questions(known: Compared) -> Compared:
    """With the comparisons that programs have made in vain."""
    targets, guesses = dict(known.targets), dict(known.guesses)
    for name, target in asked:
        new = (target.constant, target.everyone)
        targets[name] = tuple(dict.fromkeys((*targets.get(name, ()), new)))
    for one, other in compared:
        guesses[one] = guesses.get(one, frozenset()) | {other}
    return Compared(targets, guesses)


def _rehearse(views: Views, limit: Limit) -> None:
    """Take all steps of the boot CPU with one other, to find what is compared with what."""
    shared, members = views.parts.numbers(views.abstraction.initial())
    waiting, met = [(shared, members[:1])], {(shared, members[:1])}
    for n, here in enumerate(waiting):
        if why := limit(n):
            raise Cut(why)
        for member in here[1]:
            views.steps.fewer.meets(here[0], member)
        for step in views.steps.of(*here):
            after = step.shared, step.members
            if step.problem is None and after not in met:
                met.add(after)
                waiting.append(after)
