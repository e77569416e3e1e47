"""Tokens outlive edits: counterexamples are replayed after the program or the machine has changed.

The tokens are what `stress` prints, not shrunk: a third of their steps are decisions. Each bad twin
is edited in three ways (`edits.py`): local operations inserted or removed, the layout a step larger
or smaller, one more CPU. Only edits count after which the bug still exists, which a sample of runs
decides. The same tokens are followed on the fixed protocol with the same edit, where none may
REPRODUCE.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import msgspec
import pytest

from simbbm import discovery
from simbbm.core.errors import EditError
from simbbm.explore.runs.replay import Result, replay
from simbbm.explore.runs.run import Runner
from simbbm.explore.witness.recording import Witness, from_token, token, witness_of
from simbbm.model import Model
from simbbm.scenario import Scenario
from tests.quality.campaigns import show
from tests.quality.edits import Change, Pad, cpu_changes, layout_changes, mixed_of, model_of, pads

pytestmark = [pytest.mark.quality, pytest.mark.timeout(7_200)]

PADS, SEEDS, SEEDS_CPUS = 36, 4, 6
RUNS_MAX = 400
"""Runs in which a bug shows, or else does not count as still there."""
WANTED = {"operations": 0.99, "layout": 0.85, "cpus": 0.70}
EDITS_MIN = 1_000
BAD = tuple(
    s.id
    for s in discovery.shipped()
    if s.twin_of in ("linear_map_split::good", "bbm_minimal::good") and not s.expect.holds
)


def test_tokens_survive_edits() -> None:
    counts = Counter[tuple[str, str]]()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for twin, found in zip(BAD, pool.map(survey, BAD), strict=True):
            counts += found
            show(twin, *(_row(found, name) for name in WANTED))
    show("", "edits", "survived", "left out", "on the good", "false there")
    for name in WANTED:
        of = [counts[name, what] for what in ("edits", "survived", "left out", "good", "false")]
        show(name, *of, f"{of[1] / of[0]:.2%}")
    for how in ("exact", "semantic", "goal"):
        show(f"replayed {how}", *(counts[name, how] for name in WANTED))

    assert all(counts[name, "false"] == 0 for name in WANTED)
    assert all(counts[name, "edits"] >= EDITS_MIN for name in WANTED)
    assert all(counts[n, "survived"] >= w * counts[n, "edits"] for n, w in WANTED.items())


def _row(counts: Counter[tuple[str, str]], name: str) -> str:
    return f"{counts[name, 'survived']}/{counts[name, 'edits']}"


def survey(twin: str) -> Counter[tuple[str, str]]:
    """How often tokens of one twin survive each class of edits."""
    counts = Counter[tuple[str, str]]()
    scenario = discovery.find(twin)
    good = discovery.find(scenario.twin_of or "")
    for name, outcome in _outcomes(scenario, good):
        counts[name, outcome] += 1
    return counts


def _outcomes(scenario: Scenario, good: Scenario) -> Iterator[tuple[str, str]]:
    """Each class of edits, and each thing that happened in it."""
    for pair in _operations(scenario, good):
        yield from (("operations", outcome) for outcome in pair)
    if "layout" in (p.name for p in scenario.parameters):
        for change in layout_changes():
            yield from (("layout", o) for o in _changed(scenario, good, change, SEEDS))
        for change in cpu_changes():
            yield from (("cpus", o) for o in _changed(scenario, good, change, SEEDS_CPUS))


def _operations(scenario: Scenario, good: Scenario) -> Iterator[Iterator[str]]:
    """Pads are inserted, and removed from a program that a token was recorded on."""
    recorded = [found for seed in range(SEEDS) if (found := record(scenario, {}, seed))]
    bare, fixed = scenario, good
    for n, pad in enumerate(pads(scenario, recorded, PADS)):
        padded = pad.on(scenario)
        yield _followed(recorded[n % len(recorded)], padded, _fixed(pad, good) or fixed, pad=True)
        if (with_pad := record(padded, {}, n)) and _exists(bare, {}, with_pad):
            yield _followed(with_pad, bare, fixed, pad=True)
        else:
            yield iter(("left out",))


def _fixed(pad: Pad, good: Scenario) -> Scenario | None:
    """The fixed protocol with a pad; None if the padded routine is the twin's alone."""
    padded = pad.on(good)
    try:
        model_of(padded, {})
    except EditError:
        return None
    return padded


def _changed(scenario: Scenario, good: Scenario, change: Change, seeds: int) -> Iterator[str]:
    """Tokens of one machine are followed on another."""
    recorded = [record(scenario, change.before, seed) for seed in range(seeds)]
    with mixed_of(change.parts):
        now, fixed = scenario, good
        for witness in recorded:
            if witness is None or not _exists(now, change.after, witness):
                yield "left out"
                continue
            yield from _followed(
                msgspec.structs.replace(witness, params=witness.params | change.after), now, fixed
            )


def _followed(
    witness: Witness, edited: Scenario, fixed: Scenario, *, pad: bool = False
) -> Iterator[str]:
    """What becomes of a token on the edited twin, and on the fixed protocol.

    A pad in what the recorded run does not come to is no edit.
    """
    kept = from_token(token(witness))
    result = replay(kept, model_of(edited, kept.params))
    if pad and result.how == "exact":
        yield "not met"
        return
    yield "edits"
    if result.result is Result.REPRODUCED:
        yield "survived"
        yield result.how
    if fresh := result.refreshed:
        assert replay(from_token(token(fresh)), model_of(edited, kept.params)).how == "exact"
    yield "good"
    on_fixed = msgspec.structs.replace(kept, scenario=fixed.id)
    if replay(on_fixed, model_of(fixed, kept.params)).result is Result.REPRODUCED:
        yield "false"


def record(scenario: Scenario, params: Mapping[str, Any], seed: int) -> Witness | None:
    """The first counterexample that the default strategy finds, as it is expected to fail."""
    key = (scenario, tuple(params.items()), seed)
    if key not in _recorded:
        number = _first(scenario, params, seed, scenario.expect.failures)
        _recorded[key] = (
            None if number is None else witness_of(Model(scenario, params), "default", seed, number)
        )
    return _recorded[key]


def _exists(scenario: Scenario, params: Mapping[str, Any], witness: Witness) -> bool:
    """Whether what a witness shows still happens, as far as a sample of runs tells."""
    failure = (witness.verdict, witness.property)
    key = (scenario, tuple(params.items()), failure)
    if key not in _existing:
        _existing[key] = _first(scenario, params, 99, {failure}) is not None
    return _existing[key]


_recorded: dict[Any, Witness | None] = {}
_existing: dict[Any, bool] = {}
"""By scenario, parameters and the rest; layouts with other parts are other scenarios."""


def _first(
    scenario: Scenario, params: Mapping[str, Any], seed: int, failures: Collection[Any]
) -> int | None:
    """The number of the first run that fails in one of these ways."""
    runner = Runner(Model(scenario, params), "default", seed)
    for number in range(RUNS_MAX):
        node = runner.play(runner.chooser(number)).end
        if node.ended and node.problem and (node.ended.value, node.problem.property) in failures:
            return number
    return None
