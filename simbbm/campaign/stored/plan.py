"""What a campaign is to do: scenarios, parameters and strategies, swept over; read from TOML.

A plan may come from somebody else. Nothing in it is run but scenarios that are shipped, and those
files that its user allows.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from simbbm import discovery
from simbbm.core.errors import UsageError
from simbbm.explore.runs.play import MAX_STEPS
from simbbm.explore.strategies.named import strategy
from simbbm.host import reading
from simbbm.host.amounts import COUNT, DURATION, Unit, amount
from simbbm.host.reading import STEPS_MAX, nearest, quoted
from simbbm.ids import shipped_stems, source_of, user_file

ARMS_MAX = 10_000
RUNS = 10_000
"""Of an arm, if a plan says nothing else."""
BATCH = 1_000
SHRINK = 20_000
"""States of each search that makes a failure small."""
Stop = Literal["first", "never"]


class Sweep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every combination of these is an arm; what is None is the plan's."""

    scenarios: tuple[str, ...]
    """Ids, stems or files."""
    twins: bool = False
    strategies: tuple[str, ...] = ("default",)
    params: dict[str, Any] = {}
    """A value or a list of values each."""
    runs: int | str | None = None
    stop: Stop | None = None
    max_steps: int | str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan, as it is written."""

    sweep: tuple[Sweep, ...]
    seed: int = 0
    runs: int | str | None = None
    """Of each arm; if it is adaptive, of all together."""
    time: int | float | str | None = None
    """Seconds, over all the times that it is gone on with."""
    batch: int | str = BATCH
    """Runs that are kept together. Nothing is decided but between batches."""
    stop: Stop = "first"
    """Of an arm: at its first failure, or when all its runs are made."""
    adaptive: bool = False
    """Whether arms get more runs where these still come to states that were not met."""
    max_steps: int | str = MAX_STEPS
    shrink: int | str = SHRINK


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of one scenario, with parameters and a strategy."""

    scenario: str
    params: dict[str, Any]
    given: dict[str, str]
    """Those parameters that the plan gives."""
    strategy: str
    expect: str
    runs: int | None
    """None: as many as there is time for, or as it is given a share of."""
    stop: Stop
    max_steps: int
    source: str
    """The digest of the file that the scenario is in: of another one, runs are others."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with everything in its place: equal plans have equal ones, and so equal reports."""

    arms: tuple[Arm, ...]
    seed: int
    runs: int | None
    """Of all arms together, if it is adaptive."""
    time: float | None
    batch: int
    adaptive: bool
    shrink: int

    def changed_sources(self, other: Planned) -> list[str]:
        """The files that have changed, if nothing else of this plan is different in another."""
        if msgspec.structs.replace(other, arms=self.arms) != self:
            return []
        pairs = [*zip(self.arms, other.arms, strict=False)]
        if [msgspec.structs.replace(new, source=old.source) for old, new in pairs] != [*self.arms]:
            return []
        changed = (source_of(old.scenario) for old, new in pairs if old.source != new.source)
        return [*dict.fromkeys(changed)]

    @property
    def runs_requested(self) -> int | None:
        """Of all arms together; None: as many as there is time for."""
        every = [arm.runs for arm in self.arms]
        return self.runs if self.adaptive or None in every else sum(filter(None, every))


def read_plan(path: Path, allowed: Iterable[Path] = ()) -> Planned:
    """Read a plan; UsageError, in one line, for what is wrong with it."""
    return planned(parsed(reading.text(path), quoted(path)), allowed)


def parsed(text: str, where: str) -> Plan:
    """Read the text of a plan."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError) as error:  # ValueError: an int of many digits
        raise UsageError(f"{where}: not TOML: {quoted(error)}", EXAMPLE) from None
    except RecursionError:
        raise UsageError(f"{where}: not a plan: nested too deeply", EXAMPLE) from None
    _require_known(where, data, Plan)
    for sweep in _sweeps(data):
        _require_known(where, sweep, Sweep)
    try:
        return msgspec.convert(data, Plan)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise UsageError(f"{where}: {quoted(error)}", EXAMPLE) from None


EXAMPLE = "simbbm guide campaign has an example"


def _sweeps(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = data.get("sweep")
    yield from (s for s in found if isinstance(s, dict)) if isinstance(found, list) else ()


def _require_known(where: str, keys: Iterable[str], kind: type[msgspec.Struct]) -> None:
    """Raise UsageError for a key that there is not; the nearest is suggested."""
    known = kind.__struct_fields__
    for key in keys:
        if key not in known:
            close = nearest(key, known, cutoff=0.5)
            hint = f"did you mean {close}?" if close else f"there are {', '.join(known)}"
            place = "a sweep" if kind is Sweep else "a plan"
            raise UsageError(f"{where}: {place} has no {quoted(key)}", hint)


class _Told(NamedTuple):
    """What a number of a plan is called, and how it is written."""

    name: str
    unit: Unit


def planned(plan: Plan, allowed: Iterable[Path] = ()) -> Planned:
    """Put everything in its place, with the arms that there are; UsageError if that fails."""
    runs = _count("runs", plan.runs)
    seconds = _number(_Told("time", DURATION), plan.time)
    swept = (arm for sweep in plan.sweep for arm in _arms(plan, sweep, [*allowed]))
    arms = tuple(islice(swept, ARMS_MAX + 1))
    if not arms:
        raise UsageError("a plan without a sweep", EXAMPLE)
    if len(arms) > ARMS_MAX:
        raise UsageError(f"a plan of more than {ARMS_MAX:,} arms", "leave some out")
    _require_different(arms)
    if plan.adaptive and runs is None and seconds is None:
        raise UsageError("an adaptive plan shares out runs", "say how many: runs, or time, or both")
    if plan.adaptive and any(sweep.runs for sweep in plan.sweep):
        raise UsageError("a sweep of an adaptive plan has runs of its own", "leave them out")
    batch = _count("batch", plan.batch) or BATCH
    if plan.adaptive and runs is not None and runs < batch:
        told = f"an adaptive plan of {amount(runs, 'run')} makes none: a batch is {batch:,}"
        raise UsageError(told, f"write more runs, or batch = {runs}")
    return Planned(
        arms=arms,
        seed=plan.seed,
        runs=runs if plan.adaptive else None,
        time=seconds,
        batch=batch,
        adaptive=plan.adaptive,
        shrink=_count("shrink", plan.shrink) or SHRINK,
    )


def _count(name: str, value: int | str | None) -> int | None:
    found = _number(_Told(name, COUNT), value)
    return None if found is None else int(found)


def _number(told: _Told, value: float | str | None) -> float | None:
    """A number of a plan, as TOML has them or with its unit."""
    if value is None:
        return None
    found = told.unit.read(value) if isinstance(value, str) else value
    if found is None or not 0 < found <= 10**reading.DIGITS_MAX:
        raise UsageError(f"{told.name} = {quoted(value)} is not {told.unit.told}")
    return found


def _arms(plan: Plan, sweep: Sweep, allowed: list[Path]) -> Iterator[Arm]:
    """The arms of a sweep: by scenario, then by parameters, then by strategy."""
    for text in sweep.scenarios:
        _require_allowed(text, allowed)
    runs = _count("runs", sweep.runs) or _count("runs", plan.runs)
    if runs is None and plan.time is None:
        runs = RUNS
    max_steps = _count("max_steps", sweep.max_steps or plan.max_steps) or MAX_STEPS
    if max_steps > STEPS_MAX:
        raise UsageError(f"max_steps = {max_steps:,} is more than {STEPS_MAX:,}")
    names = [strategy(text).name for text in sweep.strategies]
    values = [v if isinstance(v, list) else [v] for v in sweep.params.values()]
    for scenario in discovery.select(sweep.scenarios, twins=sweep.twins):
        source = discovery.digest_of(scenario.id)
        for combination in product(*values):
            given = {n: str(v) for n, v in zip(sweep.params, combination, strict=True)}
            params = scenario.parameters_from(given)
            for name in names:
                yield Arm(
                    scenario=scenario.id,
                    params=params,
                    given=given,
                    strategy=name,
                    expect=str(scenario.expect),
                    runs=None if plan.adaptive else runs,
                    stop=sweep.stop or plan.stop,
                    max_steps=max_steps,
                    source=source,
                )


def _require_allowed(text: str, allowed: list[Path]) -> None:
    """Raise UsageError for a program that is not shipped, unless its user has named it, too."""
    if text not in shipped_stems() and reading.is_folder(text):
        raise UsageError(f"{quoted(text)}: a plan names files, not folders")
    file = user_file(text if "::" in text else f"{text}::")
    known = {os.path.realpath(path) for path in allowed}
    if file and reading.is_file(file) and os.path.realpath(file) not in known:
        said = f"the plan names {quoted(file)}: that file is a program, and not run unasked"
        raise UsageError(said, f"--allow-file {quoted(file)} lets it be run")


def _require_different(arms: Iterable[Arm]) -> None:
    """Raise UsageError if two arms make the same runs: these would count twice."""
    seen = set[bytes]()
    for arm in arms:
        key = msgspec.json.encode((arm.scenario, arm.params, arm.strategy), order="sorted")
        if key in seen:
            raise UsageError(
                f"{arm.scenario} with strategy {arm.strategy} is planned twice, with the same "
                "parameters",
                "leave one out",
            )
        seen.add(key)
