"""Edits that change nothing: the verdict of such a twin would say nothing about its mistake.

`check.steps` has checked that the code contains the step which an edit names. Whether any schedule
reaches the step is checked here: by one polite run, which is nearly always enough, else by a
search. The answer depends on scenario and parameters alone, never on which runs came first.
"""

from __future__ import annotations

from collections.abc import Sequence

from simbbm.core.choice import Polite
from simbbm.core.errors import EditError
from simbbm.core.points import Programs
from simbbm.core.programs.edits import Edits
from simbbm.core.programs.labels import is_call, is_inside, matches, parts
from simbbm.explore.runs.play import Player
from simbbm.explore.search.attempt import Attempt
from simbbm.explore.search.breadth_first import Limits
from simbbm.model import Model
from simbbm.scenario import Scenario

LIMITS = Limits(states=20_000)
"""How far the search for a step goes that the polite schedule does not reach."""
STEPS = 100_000


def named(edits: Edits) -> dict[str, str]:
    """The steps and routines that a scenario's edits name, each with what happens to it."""
    found = dict.fromkeys(edits.drop, "drops")
    found |= dict.fromkeys((pattern for pattern, _ in edits.weaken), "weakens")
    found |= dict.fromkeys((pattern for pattern, _ in edits.before), "does more before")
    found |= dict.fromkeys((pattern for pattern, _ in edits.after), "does more after")
    for later in edits.later:
        found |= {later.step: "swaps", later.behind: "swaps"} if later.behind else {}
        found |= {} if later.behind else {later.step: "delays"}
    return found | dict.fromkeys((name for name, _ in edits.replace), "replaces")


def require_live(
    model: Model,
    searched: Programs | None = None,
    *,
    complete: bool = False,
    fails: bool = False,
) -> str | None:
    """Raise EditError if an edit changes nothing; return which one, if a limit was hit first.

    `searched` has the steps that a search of the model reached; all there are, if it is `complete`.
    A twin that fails, or should fail, may do so before a later edit's step is reached; then it is
    enough that the origin reaches it. Of several edits some may change nothing with these
    parameters if they do with the defaults; but not a change that is part of the id (`~remove~...`)
    since that was requested for these parameters.
    """
    scenario = model.scenario
    if not (every := named(scenario.edits)):
        return None
    asked = every.keys() - named(_declared(scenario).edits).keys()
    idle, certain, early = set(every), True, fails or not scenario.expect.holds
    if searched:
        idle = _left(idle, scenario, searched)
    if idle and not complete:
        idle, certain = _idle([model], idle, early=early)
    if not idle:
        return None
    if idle & asked or idle == every.keys():
        if not certain:
            return _doubt(scenario, idle)
        raise EditError(f"{_told(scenario, idle & asked or idle)} with these parameters")
    defaults = [whose.parameters_from({}) for whose in (scenario, scenario.root)]
    elsewhere = [p for n, p in enumerate(defaults) if p not in (model.params, *defaults[:n])]
    if elsewhere:
        models = [Model(scenario, params, model.known) for params in elsewhere]
        idle, sure = _idle(models, idle, early=early)
        certain = certain and sure
    if idle and certain:
        raise EditError(_told(scenario, idle))
    return _doubt(scenario, idle) if idle else None


def _doubt(scenario: Scenario, idle: set[str]) -> str:
    return f"{_told(scenario, idle)} within {LIMITS.states:,} states"


def _declared(scenario: Scenario) -> Scenario:
    """The scenario without the changes that its id names."""
    while scenario.parent and "~" in scenario.id.rpartition("::")[2]:
        scenario = scenario.parent
    return scenario


def _told(scenario: Scenario, idle: set[str]) -> str:
    edit = min(idle)
    what = named(scenario.edits)[edit]
    why = {
        "replaces": "nothing calls it",
        "delays": "no step comes after it",
        "swaps": "the two do not follow each other",
    }.get(what, "no schedule comes to such a step")
    return f"{scenario.id} {what} {edit}, but {why}"


def _idle(models: Sequence[Model], edits: set[str], *, early: bool) -> tuple[set[str], bool]:
    """Those of some edits that match nothing in any of some models; whether that is certain.

    `early`: the twin may fail before an edit's step is reached, so the steps of its origin count.
    """
    certain, scenario = True, models[0].scenario
    origins: dict[int, Model] = {}

    def origin(number: int) -> Model:
        if number not in origins:
            origins[number] = Model(scenario.root, models[number].params, models[number].known)
        return origins[number]

    for number, model in enumerate(models):
        edits = _left(edits, scenario, politely(model))
        if edits and early:
            edits = _left(edits, scenario, politely(origin(number)))
        if not edits:
            return edits, True
    for number, model in enumerate(models):
        whole = explored(model)
        edits = _left(edits, scenario, _known(whole))
        certain = certain and whole.searched.complete
        if edits and (early or whole.searched.failures):
            whole = explored(origin(number))
            edits = _left(edits, scenario, _known(whole))
            certain = certain and whole.searched.complete
    return edits, certain


def politely(model: Model) -> Programs:
    """The programs as far as one polite run reaches."""
    alone = model.anew()
    Player(alone, STEPS).walk(Polite(), record=False)
    return alone.automaton


def explored(model: Model) -> Attempt:
    """A search of all states up to the limit; failures do not end it."""
    return Attempt(model, LIMITS, wanted=frozenset(), ample=True)


def _known(attempt: Attempt) -> Programs:
    return attempt.space.system.spec.automaton


def _left(edits: set[str], scenario: Scenario, automaton: Programs) -> set[str]:
    """Those of some edits whose step or routine was not reached, changed or not."""
    replaced = dict(scenario.edits.replace)
    routines = (name for label in automaton.labels for name in parts(label)[:-1])
    met = {name.partition("#")[0] for name in routines}

    moved = {step for later in automaton.edits.later for step in (later.step, later.behind)}

    def is_met(edit: str) -> bool:
        if edit in moved:
            return False  # Nothing comes after it, or it would have been used.
        if edit not in replaced:
            return any(matches(edit, label) for label in automaton.labels)
        if is_call(edit):
            return any(is_inside(edit, label) for label in automaton.labels)
        return edit.rpartition(".")[2] in met

    return {edit for edit in edits - automaton.used_edits if not is_met(edit)}
