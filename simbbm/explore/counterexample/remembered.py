"""What was found out about a counterexample, kept beside its witness: it takes searches, once.

It stands in `.simbbm/explained/`, under the name of the witness's file, with a key: a digest of all
that it follows from. That is the witness, the limit of the searches, simbbm's sources, and every
other module that is loaded with the scenario. Under another key it is not used but found out anew,
so that nobody can tell from an answer whether it was there. It is no part of the witness: those
are given to others, who had to believe it.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

import msgspec

import simbbm
from simbbm.core.errors import UsageError
from simbbm.explore.counterexample.explain import STATES, Explanation, explain
from simbbm.explore.witness.files import beside
from simbbm.explore.witness.record import Witness
from simbbm.host import reading
from simbbm.host.writing import write
from simbbm.model import Model

_SAYS_NOTHING = {"cli", "report", "campaign", "guide"}
"""Folders of simbbm on which no explanation depends."""
_OTHERS = {
    *("click", "google", "jinja2", "markdown_it", "markupsafe", "mdurl", "msgspec", "perfetto"),
    *("pygments", "rich", "simpy", "structlog", "typing_extensions"),
}
"""Packages that simbbm loads for itself, and no scenario's business."""


class Remembered(msgspec.Struct, frozen=True):
    """A file's content."""

    key: str
    explained: Explanation


def explained(
    witness: Witness, model: Model, path: Path | None, states: int = STATES
) -> Explanation | None:
    """As `explain`; of a witness that is kept at `path` what is remembered, or is from now on."""
    file = beside(path) if path and not any(cpu.listing for cpu in model.setup.cpus) else None
    if file is None:
        return explain(witness, model, states)
    key = _key(witness, model, states)
    with suppress(UsageError, reading.NotJson):  # it is not there, or damaged
        found = reading.json(reading.content(file), Remembered)
        if found.key == key:
            return found.explained
    answer = explain(witness, model, states)
    if answer is not None:
        with suppress(OSError):  # another folder that cannot be written to costs no answer
            file.parent.mkdir(exist_ok=True)
            write(file, msgspec.json.encode(Remembered(key, answer)))
    return answer


def _key(witness: Witness, model: Model, states: int) -> str:
    found = blake2b(digest_size=16)
    for part in (msgspec.json.encode(witness), str(states).encode(), _sources()):
        found.update(b"%d:" % len(part) + part)
    for file in sorted({*_files_of_scenarios(), *filter(None, [model.scenario.file])}):
        found.update(blake2b(_content(Path(file))).digest())
    return found.hexdigest()


@cache
def _sources() -> bytes:
    """A digest of simbbm."""
    root = Path(simbbm.__file__).parent
    found = blake2b(simbbm.__version__.encode())
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in _SAYS_NOTHING:
            found.update(blake2b(_content(path)).digest())
    return found.digest()


def _files_of_scenarios() -> Iterator[str]:
    """Of all modules that are neither Python's nor simbbm's, nor what that needs."""
    standard = sysconfig.get_path("stdlib")
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        top = name.partition(".")[0]
        if file and top not in _OTHERS | {"simbbm", "__main__"}:
            ours = not file.startswith(standard) or "site-packages" in file
            if ours and file.endswith(".py"):
                yield file


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
