"""What a scenario's id says without the scenario: which file it is in, and what is changed of it.

Nothing is loaded for it. So whether a witness may have a file run is known before anything is, and
what is remembered of a witness is shown without a machine. `discovery` finds the scenarios.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

try:
    import simbbm_scenarios
except ModuleNotFoundError:  # a checkout that is on the path and not installed
    sys.path.append(str(Path(__file__).resolve().parent.parent / "scenarios"))
    import simbbm_scenarios
from simbbm_scenarios import ROOMS, Room

from simbbm.core.errors import UsageError
from simbbm.host.reading import is_file

PACKAGE = simbbm_scenarios.__name__
FOLDER = Path(simbbm_scenarios.__path__[0])

REMOVE, DELAY, WEAKEN, SWAP = "remove", "delay", "weaken:", "swap:"
BEFORE, AFTER = "before:", "after:"
KINDS = (REMOVE, DELAY, WEAKEN, AFTER, BEFORE, SWAP)
"""What can be done to a step, as it stands in an id."""
CHANGES = re.compile(f"~(?={'|'.join(k if k.endswith(':') else f'{k}~' for k in KINDS)})")
"""What stands between an id and its changes."""


def source_of(scenario_id: str) -> str:
    """What stands before the `::`: a shipped stem, an entry point, or a file."""
    return CHANGES.split(scenario_id)[0].rpartition("::")[0]


def shipped_stems() -> tuple[str, ...]:
    """Return the names of the shipped files."""
    return tuple(stem for room in ROOMS for stem in room.stems)


def room_of(scenario_id: str) -> Room | None:
    """The room of a shipped scenario; None for one that is somebody else's."""
    stem = source_of(scenario_id)
    return next((room for room in ROOMS if stem in room.stems), None)


def user_file(scenario_id: str) -> Path | None:
    """The file that has to be run to find this scenario; None if nothing but what is installed."""
    source = source_of(scenario_id)
    if source in shipped_stems() or not source.endswith(".py"):
        return None
    return None if is_shipped(source) else Path(source)


def require_allowed(scenario_id: str, allowed: Iterable[Path], hint: str) -> Path | None:
    """The file of a witness's scenario, if it is a user's; UsageError if nobody lets it be run."""
    file = user_file(scenario_id)
    if file and is_file(file) and os.path.realpath(file) not in map(os.path.realpath, allowed):
        raise UsageError(
            f"a witness of {scenario_id}: that file is a program, and not run unasked", hint
        )
    return file


def is_shipped(file: str) -> bool:
    """Whether a path leads to a shipped file."""
    return "\0" not in file and os.path.realpath(file) in _shipped_files()


@cache
def _shipped_files() -> frozenset[str]:
    """The shipped files, where they really are."""
    return frozenset(os.path.realpath(FOLDER / f"{stem}.py") for stem in shipped_stems())
