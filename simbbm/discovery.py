"""Where scenarios are found, and the ids by which everything else names them.

* Shipped ones are `stem::name`: the package `simbbm_scenarios`, which is installed with simbbm.
* Other distributions' are `entry::name`, through the entry-point group `simbbm.scenarios`.
* A user's are `path/to/file.py::name`, with the path as it was given.
* A litmus test is `path/to/file.jsonl::name`, with the name that it has in the file.
* A kernel image's are `path/to/vmlinuz::name`: any other file is taken for one.

`name` is the module-level variable. Neither of the latter two can shadow a shipped scenario, and a
shipped file that is named by its path keeps its shipped id.

A scenario's module gets the same name on every machine and in every form of install, since that
name is part of every state digest: `simbbm_scenarios.stem` for a shipped file, which a user's can
import: `from simbbm_scenarios.stem import good`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from types import ModuleType

from simbbm.changes import read_change
from simbbm.core.errors import ScenarioError, SimbbmError, UsageError
from simbbm.host import reading
from simbbm.host.reading import check_name, is_file, is_folder, nearest, quoted
from simbbm.host.terminal import complain
from simbbm.ids import CHANGES, FOLDER, PACKAGE, is_shipped, shipped_stems, source_of
from simbbm.loading import AuthorsErrors, run_twice
from simbbm.scenario import Scenario

USER_PACKAGE = "simbbm_user"
ENTRY_POINTS = "simbbm.scenarios"


Broken = Callable[[str, SimbbmError], object]
"""Takes the name of what cannot be loaded, and why."""


def find(scenario_id: str) -> Scenario:
    """Return the one scenario with this id.

    What follows a `~` names a change of it (`changes`): so its witnesses replay.
    """
    scenario_id, *changes = CHANGES.split(scenario_id)
    found = _find(scenario_id)
    for change in changes:
        found = found.changed(read_change(change))
    return found


def _find(scenario_id: str) -> Scenario:
    source, separator, name = scenario_id.rpartition("::")
    if not separator:
        raise _no_name(scenario_id)
    try:
        scenarios = _scenarios(source)
    except _UnknownSource:
        raise _unknown(scenario_id) from None
    found = next((s for s in scenarios if s.name == name), None)
    if found is None:
        raise _unknown(scenario_id, [s.id for s in scenarios])
    return found


def _no_name(text: str) -> UsageError:
    """Why a text without `::` is not the id of one scenario. It is not loaded to find out."""
    said = quoted(text)
    if text in shipped_stems() or text.endswith((".py", ".jsonl")):
        hint = f"write {said}::NAME; simbbm list {said} shows which there are"
        return UsageError(f"{said} holds scenarios, and one of them is wanted", hint)
    return UsageError(f"{said} names no scenario", "an id is stem::name or file.py::name")


def identified(scenario: Scenario | str) -> Scenario:
    """The scenario of an id, or the one that a module has as a variable: with the id that it has.

    UsageError if it is found by no id: other processes, and a witness, need one.
    """
    if isinstance(scenario, str):
        return find(scenario)
    if not scenario.id:
        return find(_id_of(scenario))
    found = find(scenario.id)
    if any(getattr(found, name) != getattr(scenario, name) for name in MADE_OF):
        raise UsageError(f"a scenario made of {found.id} has no id of its own", NO_ID)
    return found


def digest_of(scenario_id: str) -> str:
    """A digest of the file that a scenario is in, as it is now; not of what it imports."""
    source = source_of(scenario_id)
    if source in shipped_stems():
        file = FOLDER / f"{source}.py"
    elif source in entry_points() and not is_file(source):
        file = Path(_entry_module(source).__file__ or "")
    else:
        file = Path(source)
    return blake2b(reading.content(file), digest_size=16).hexdigest()


MADE_OF = ("build", "edits", "parameters", "expect")
NO_ID = "make it a variable of a file: scenarios are found by it, in other processes too"


def _id_of(scenario: Scenario) -> str:
    """The id of a scenario as its module has it; of several modules the one that defines it."""
    places = [
        (not name.startswith(f"{PACKAGE}."), scenario.build.__module__ != name, name, variable)
        for name, module in list(sys.modules.items())
        for variable, value in list(vars(module).items())
        if value is scenario and not variable.startswith("_")
    ]
    for outside, _, name, variable in sorted(places):
        if not outside:
            return f"{name.rpartition('.')[2]}::{variable}"
        if file := getattr(sys.modules[name], "__file__", None):
            path = Path(file)
            here = Path.cwd()
            return f"{path.relative_to(here) if path.is_relative_to(here) else path}::{variable}"
    raise UsageError(f"a scenario without an id: {scenario.story}", NO_ID)


def select(
    ids: Iterable[str], *, twins: bool = False, broken: Broken | None = None
) -> list[Scenario]:
    """Return the scenarios that ids, stems and files name, each once; with `twins`, theirs too.

    A file that cannot be loaded is left out, if `broken` takes its name and the error.
    """
    selected: dict[str, Scenario] = {}
    for text in ids:
        for scenario in [find(text)] if "::" in text else _everything_in(text, broken):
            selected[scenario.id] = scenario
            if twins:
                selected |= {twin.id: twin for twin in twins_of(scenario)}
    return list(selected.values())


def twins_of(scenario: Scenario) -> list[Scenario]:
    """Return the twins of a scenario that are in its own file."""
    source = scenario.id.rpartition("::")[0]
    return [s for s in _scenarios(source) if s.twin_of == scenario.id]


def shipped() -> list[Scenario]:
    """Return every shipped scenario, room by room and file by file."""
    return [s for stem in shipped_stems() for s in _scenarios(stem)]


def installed(broken: Broken | None = None) -> list[Scenario]:
    """Return every scenario that is installed: the shipped ones, then other distributions'.

    An entry point that cannot be loaded is left out, if `broken` takes its name and the error.
    """
    found = shipped()
    for name in entry_points():
        try:
            found += select([name])
        except SimbbmError as error:
            if broken is None:
                raise
            broken(name, error)
    return found


@cache
def entry_points() -> dict[str, str]:
    """Return the modules that other distributions bring, by the name they are known under."""
    from importlib import metadata  # noqa: PLC0415 - slow, and rarely wanted

    found = metadata.entry_points(group=ENTRY_POINTS)
    return {e.name: e.value for e in found if e.name not in shipped_stems()}


class _UnknownSource(Exception):
    """What stands before the `::` names neither a file nor a stem."""


def _everything_in(text: str, broken: Broken | None) -> list[Scenario]:
    if text not in shipped_stems() and is_folder(text):
        return _in_folder(Path(text), broken)
    try:
        return _loaded(text, broken)
    except _UnknownSource:
        raise _unknown(text) from None


def _loaded(source: str, broken: Broken | None) -> list[Scenario]:
    """The scenarios of a file; none if it cannot be loaded, and `broken` takes that."""
    try:
        return _scenarios(source)
    except ScenarioError as error:
        if broken is None:
            raise
        broken(source, error)
        return []


def _in_folder(folder: Path, broken: Broken | None) -> list[Scenario]:
    """The scenarios of all files that look like it; others are named and not run."""
    found: list[Scenario] = []
    loaded = False
    for path in sorted(folder.glob("*.py")):
        if not is_like_a_scenario(path):
            complain(f"warning: {path} is left out: it makes no scenario of simbbm's")
            continue
        try:
            found += _loaded(str(path), broken)
            loaded = True
        except _NoScenarios as error:
            complain(f"warning: {error.message}")
    if not loaded:
        raise UsageError(f"{folder} has no scenarios", "simbbm new writes one to start from")
    return found


def is_like_a_scenario(path: Path) -> bool:
    """Whether a file imports simbbm and makes a scenario: its text says so, it is not run."""
    if not is_file(path):
        return False
    text = reading.content(path)
    return bool(_IMPORTS.search(text) and _MAKES.search(text))


_IMPORTS = re.compile(rb"^[ \t]*(?:from|import)[ \t][^#\n]*\bsimbbm(?:_scenarios)?\b", re.MULTILINE)
_MAKES = re.compile(rb"\bscenario\b|\bsimbbm_scenarios\b|\.twin\b")
"""`@scenario(...)` under any name that it is imported by, a scenario that is there, or a twin."""


class _NoScenarios(UsageError):
    """A file that has none of its own."""


def _scenarios(source: str) -> list[Scenario]:
    """Return the scenarios of a file, a shipped stem or an entry point, in order of appearance."""
    if source in shipped_stems():
        return _of_module(_shipped_module(source), source, "")
    if source.endswith((".jsonl", ".litmus")):
        from simbbm.litmus.scenario import scenarios_in  # noqa: PLC0415 - most runs want no test

        return scenarios_in(source)
    if not source.endswith(".py"):
        if source in entry_points():
            return _of_module(_entry_module(source), source, "")
        if not is_file(source):
            raise _UnknownSource
        from simbbm.images.scenario import scenarios_in as of_image  # noqa: PLC0415 - likewise

        return of_image(source)
    path = Path(source)
    if not is_file(path):
        raise UsageError(
            f"there is no file {quoted(source)}", "simbbm list names the shipped scenarios"
        )
    if is_shipped(source):
        return _scenarios(path.stem)
    check_name(source)
    return _of_module(_user_module(path, os.path.realpath(path)), path.as_posix(), str(path))


def _of_module(module: ModuleType, source: str, file: str) -> list[Scenario]:
    """Return the scenarios that a module defines, with their ids."""
    elsewhere = {
        id(s): f"{name.removeprefix(PACKAGE + '.')}::{variable}"
        for name, other in sys.modules.items()
        if name.startswith(f"{PACKAGE}.") and other is not module
        for variable, s in _variables(other).items()
    }
    own = {
        variable: s
        for variable, s in _variables(module).items()
        if id(s) not in elsewhere or s.build.__module__ == module.__name__
    }
    if not own:
        hint = "a scenario is a module-level variable: a function under @scenario(), or its .twin()"
        raise _NoScenarios(f"{source} has no scenarios of its own", hint)
    ids = elsewhere | {id(s): f"{source}::{variable}" for variable, s in own.items()}
    return [
        replace(s, id=ids[id(s)], twin_of=ids.get(id(s.root)) if s.parent else None, file=file)
        for s in own.values()
    ]


def _variables(module: ModuleType) -> dict[str, Scenario]:
    """Public module-level scenarios; of two names for one, the first."""
    found: dict[int, tuple[str, Scenario]] = {}
    for name, value in vars(module).items():
        if isinstance(value, Scenario) and not name.startswith("_"):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


# Loading


def _shipped_module(stem: str) -> ModuleType:
    with AuthorsErrors(FOLDER / f"{stem}.py"):
        return import_module(f"{PACKAGE}.{stem}")


@cache
def _entry_module(name: str) -> ModuleType:
    with AuthorsErrors(Path(entry_points()[name])):
        return import_module(entry_points()[name])


_loading: set[str] = set()
"""Users' files that are being run."""


@cache
def _user_module(path: Path, whole: str) -> ModuleType:
    """Load a user's file, once; ScenarioError if that takes its own scenarios to be found."""
    if whole in _loading:
        hint = "do that under if __name__ == '__main__':"
        raise ScenarioError(f"{path}: its scenarios are looked for while it is loaded", hint)
    _loading.add(whole)
    try:
        return run_twice(path, USER_PACKAGE)
    finally:
        _loading.discard(whole)


# Suggestions


def _unknown(text: str, near: list[str] | None = None) -> UsageError:
    """An error that names the nearest id."""
    told = quoted(text)
    if not near and "/" in text:
        return UsageError(f"there is no file or folder {told}", "a user's id is file.py::name")
    source, _, name = text.rpartition("::")
    if not near and is_file(f"{source or name}.py"):
        return UsageError(
            f"unknown scenario {told}", f"a file is named with its .py: {source or name}.py"
        )
    known = near or [s.id for s in shipped()] + [*entry_points()]
    if not source:
        known = [*shipped_stems(), *known]
    beginning = []
    if stem := nearest(source, [k.rpartition("::")[0] for k in known]) if source else "":
        known = [k for k in known if k.startswith(f"{stem}::")]
    if stem is not None:
        beginning = [k for k in known if k.rpartition("::")[2].startswith(name)]
    close = beginning[0] if beginning else nearest(text, known)
    hint = f"did you mean {close}?" if close else "simbbm list names them"
    return UsageError(f"unknown scenario {told}", hint)
