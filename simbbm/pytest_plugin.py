"""Scenarios as pytest items: one for each good one, and one for each bad twin.

Nothing happens unless it is asked for: by the ini setting `simbbm_files`, or by a file on the
command line that imports simbbm's `scenario` and is no file of tests. `pytest --help` lists the
options. A counterexample is kept, and the next time it is replayed before anything is searched; a
green run says what evidence there is.

pytest imports this module in every run, so that it imports nothing of simbbm until then.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simbbm.library import Answer
    from simbbm.scenario import Scenario

MODES = ("check", "stress", "explore")
EVIDENCE = "simbbm"
"""The property of a report that says what the evidence is; JUnit's XML has it too."""
MARK = "simbbm"
SAID = {
    "PROVED": "proved",
    "SAMPLED": "sampled (no proof)",
    "VIOLATED": "bad twin{} violated as expected",
    "STUCK": "bad twin{} stuck as expected",
}
"""What the summary calls the verdicts of items that passed; `{}` is for the s of the plural."""
WIDTH = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and ini settings."""
    group = parser.getgroup("simbbm", "simbbm: scenarios as tests")
    group.addoption(
        "--simbbm-mode",
        choices=MODES,
        help="check: prove within limits, else sample (default); explore: prove; stress: sample",
    )
    group.addoption("--simbbm-runs", type=int, help="runs of a sample (default: 10000)")
    group.addoption("--simbbm-seed", type=int, help="seed of a sample (default: 0)")
    group.addoption(
        "--simbbm-param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, for all scenarios that have it; may be given several times",
    )
    parser.addini("simbbm_files", "scenario files, as patterns below the root", type="args")
    parser.addini("simbbm_mode", "as --simbbm-mode", default="check")
    parser.addini("simbbm_runs", "as --simbbm-runs", default="10000")
    parser.addini("simbbm_seed", "as --simbbm-seed", default="0")
    parser.addini("simbbm_params", "as --simbbm-param, several of them", type="args")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse settings that cannot be meant."""
    config.stash[SETTINGS] = Settings(config)
    config.addinivalue_line(
        "markers",
        f"{MARK}(**params): parameters for the scenarios of a file: pytestmark = "
        f"pytest.mark.{MARK}(cpus=2)",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a scenario file that was asked for."""
    if file_path.suffix != ".py":
        return None
    config = parent.config
    wanted = file_path in config.stash[SETTINGS].files
    if not wanted and parent.session.isinitpath(file_path):
        tests = any(file_path.match(pattern) for pattern in config.getini("python_files"))
        wanted = not tests and _is_like_it(file_path)
    if not wanted:
        return None
    file: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return file


def _is_like_it(path: Path) -> bool:
    from simbbm.discovery import is_like_a_scenario  # noqa: PLC0415 - see above

    return is_like_a_scenario(path)


class Settings:
    """What is to be done with each scenario: read once, when pytest starts."""

    def __init__(self, config: pytest.Config) -> None:
        self.mode: str = config.getoption("simbbm_mode") or config.getini("simbbm_mode")
        if self.mode not in MODES:
            raise pytest.UsageError(f"simbbm_mode = {self.mode}: it is one of {', '.join(MODES)}")
        self.runs = _number(config, "simbbm_runs", least=1)
        self.seed = _number(config, "simbbm_seed", least=0)
        self.params: dict[str, str] = {}
        for text in (*config.getini("simbbm_params"), *config.getoption("simbbm_param")):
            name, separator, value = text.partition("=")
            if not separator:
                raise pytest.UsageError(f"simbbm parameter {text!r}: write NAME=VALUE")
            self.params[name] = value
        self.files = {
            path
            for pattern in config.getini("simbbm_files")
            for path in config.rootpath.glob(pattern)
        }
        """The scenario files that the ini names."""
        self.known: set[str] = set()
        """Every parameter that a collected scenario has."""


SETTINGS = pytest.StashKey[Settings]()


def _number(config: pytest.Config, name: str, *, least: int) -> int:
    given = config.getoption(name)
    text = config.getini(name) if given is None else str(given)
    if not re.fullmatch("[0-9]+", text) or int(text) < least:
        raise pytest.UsageError(f"{name} = {text}: it is a number, at least {least}")
    return int(text)


class ScenarioFile(pytest.File):
    """A file of scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item a scenario; a file that cannot be loaded is one item, which fails."""
        from simbbm import discovery  # noqa: PLC0415 - see above
        from simbbm.core.errors import SimbbmError  # noqa: PLC0415

        source = _relative(self.path)
        settings = self.config.stash[SETTINGS]
        try:
            scenarios = discovery.select([source])
        except SimbbmError as error:
            yield Broken.from_parent(self, name=self.path.stem, error=error)
            return
        for scenario in scenarios:
            settings.known |= {p.name for p in scenario.parameters_for(settings.params)}
            item: ScenarioItem = ScenarioItem.from_parent(
                self, name=scenario.name, scenario=scenario
            )
            for mark in _marks(scenario):
                item.add_marker(mark)
            yield item


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _marks(scenario: Scenario) -> list[pytest.MarkDecorator]:
    """The marks in the `pytestmark` of a scenario's module."""
    marks = scenario.build.__globals__.get("pytestmark", [])
    return list(marks) if isinstance(marks, list | tuple) else [marks]


class Broken(pytest.Item):
    """A file that gives no scenarios."""

    def __init__(self, *, error: Exception, **given: Any) -> None:
        super().__init__(**given)
        self.error = error

    def runtest(self) -> None:
        """Fail for the reason that it could not be loaded for."""
        raise self.error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> str:
        """The error's one line."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is."""
        return self.path, None, self.nodeid


class UnexpectedVerdictError(Exception):
    """A scenario did not do what it is expected to."""


class ScenarioItem(pytest.Item):
    """One scenario with its parameters."""

    def __init__(self, *, scenario: Scenario, **given: Any) -> None:
        super().__init__(**given)
        self.scenario = scenario

    def runtest(self) -> None:
        """Replay what failed the last time, then hold the scenario against its expectation."""
        params = self._params()
        self._replay_kept(params)
        answer = self._answer(params)
        broken = f":{answer.property}" if answer.property else ""
        self._say(f"{answer.verdict}{broken} {_amount(answer.details)}")
        if answer.expected is False or answer.verdict == "INCONCLUSIVE":
            self._fail(answer.witness, answer.message, str(answer.verdict), answer.property)
        self._forget()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The file, and the line of the scenario's function."""
        return self.path, self.scenario.build.__code__.co_firstlineno - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> str:
        """The counterexample in columns, or the one line of an error."""
        from simbbm.core.errors import SimbbmError  # noqa: PLC0415

        if isinstance(excinfo.value, UnexpectedVerdictError | SimbbmError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def _params(self) -> dict[str, Any]:
        """The parameters that were asked for; a marker's win, and must be the scenario's."""
        from simbbm.core.errors import UsageError  # noqa: PLC0415

        settings = self.config.stash[SETTINGS]
        if unknown := settings.params.keys() - settings.known:
            raise UsageError(
                f"--simbbm-param {min(unknown)}: no scenario has such a parameter",
                f"they have {', '.join(sorted(settings.known))}",
            )
        own = {parameter.name for parameter in self.scenario.parameters_for(settings.params)}
        params: dict[str, Any] = {k: v for k, v in settings.params.items() if k in own}
        for mark in reversed([*self.iter_markers(MARK)]):
            params |= mark.kwargs
        return params

    def _answer(self, params: dict[str, Any]) -> Answer[Any]:
        from simbbm import library  # noqa: PLC0415

        settings = self.config.stash[SETTINGS]
        if settings.mode == "explore":
            return library.explore(self.scenario, params)
        sample: dict[str, Any] = {"runs": settings.runs, "seed": settings.seed, "jobs": 1}
        if settings.mode == "stress":
            return library.stress(self.scenario, params, **sample)
        return library.check(self.scenario, params, **sample)

    def _say(self, evidence: str) -> None:
        self.user_properties.append((EVIDENCE, evidence))

    @property
    def _kept(self) -> str:
        """Under which name of pytest's cache the last counterexample is."""
        return f"simbbm/{sha256(self.nodeid.encode()).hexdigest()[:16]}"

    def _cache(self) -> pytest.Cache | None:
        return getattr(self.config, "cache", None)

    def _forget(self) -> None:
        cache = self._cache()
        if cache is not None and cache.get(self._kept, None):
            cache.set(self._kept, None)

    def _replay_kept(self, params: dict[str, Any]) -> None:
        """Fail at once if what failed the last time still does."""
        from simbbm.core.errors import SimbbmError  # noqa: PLC0415
        from simbbm.explore.runs.replay import model_of, replay  # noqa: PLC0415
        from simbbm.explore.witness.token import from_token  # noqa: PLC0415

        cache = self._cache()
        kept = cache.get(self._kept, None) if cache is not None else None
        if not kept:
            return
        try:
            witness = from_token(kept)
            model = model_of(witness, self.scenario)
            if model.params != self.scenario.parameters_from(params):
                return
            found = replay(witness, model)
        except SimbbmError:
            return
        verdict = found.verdict
        if verdict is None or self.scenario.expect.met_by(verdict, found.property) is not False:
            return
        self._say(f"{verdict}:{found.property}")
        told = "the counterexample of the run before, replayed"
        self._fail(found.refreshed or witness, told, verdict, found.property)

    def _fail(self, witness: Any, message: str, verdict: str, broken: str | None) -> None:
        """Keep the witness, and raise what tells it."""
        said = f"{self.scenario.id}: {verdict}{f':{broken}' if broken else ''}"
        lines = [f"{said}, expected {self.scenario.expect}", message]
        if witness is not None:
            lines += _told(witness, self.scenario, self.config.rootpath)
            cache = self._cache()
            if cache is not None:
                from simbbm.explore.witness.token import token  # noqa: PLC0415

                cache.set(self._kept, token(witness))
        raise UnexpectedVerdictError("\n".join(line for line in lines if line))


def _amount(details: Any) -> str:
    """How much was looked at."""
    states = getattr(details, "states", None)
    return f"({details.runs:,} runs)" if states is None else f"({states:,} states)"


def _told(witness: Any, scenario: Scenario, root: Path) -> list[str]:
    """A counterexample in columns, and how to look at it again."""
    from simbbm import library  # noqa: PLC0415
    from simbbm.explore.witness.files import save  # noqa: PLC0415
    from simbbm.explore.witness.token import token  # noqa: PLC0415

    lines = ["", library.show(witness, scenario, width=WIDTH)]
    allow = f" --allow-file {scenario.file}" if scenario.file else ""
    try:
        lines.append(
            f"show with: simbbm show {_relative(save(witness, root / '.simbbm/witness'))}{allow}"
        )
    except OSError as error:
        lines.append(f"not kept as a file: {error.strerror}")
    page = f"simbbm show {token(witness)} --as html -o run.html{allow}"
    return [*lines, f"or, on any machine, as a page: {page}"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what evidence a run gave, by kind."""
    found: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if name == EVIDENCE and report.when == "call":
                    kind = re.split("[ :]", str(value))[0]
                    found["not as expected" if outcome == "failed" else SAID.get(kind, kind)] += 1
    if found:
        told = ", ".join(
            f"{found[kind]} {kind.format('' if found[kind] == 1 else 's')}"
            for kind in (*SAID.values(), "not as expected")
            if kind in found
        )
        terminalreporter.write_line(f"simbbm: {told}")
