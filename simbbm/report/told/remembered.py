"""What is told of a witness and was found out about it, kept beside it: that takes searches, once.

It stands in `.simbbm/explained/`, under the name of the witness's file, with all that it follows
from: a digest of the witness and of simbbm's sources, the limit of the searches, and every other
module that was loaded with the scenario, with a digest. Where one of them is not the same any more
it is found out anew, so that nobody can tell from an answer whether it was there. It is no part of
the witness: those are given to others, who had to believe it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

import simbbm
from simbbm.core.errors import UsageError
from simbbm.explore.counterexample.explanation import Explanation
from simbbm.explore.witness.files import beside
from simbbm.explore.witness.record import Witness
from simbbm.host import reading
from simbbm.host.writing import write
from simbbm.ids import user_file
from simbbm.report.told.story import Story

if TYPE_CHECKING:
    from simbbm.model import Model

_SAYS_NOTHING = {"cli", "campaign", "guide"}
"""Folders of simbbm on which no story and no explanation depends."""
_OTHERS = {
    *("click", "google", "jinja2", "markdown_it", "markupsafe", "mdurl", "msgspec", "perfetto"),
    *("pygments", "rich", "simpy", "structlog", "typing_extensions"),
}
"""Packages that simbbm loads for itself, and no scenario's business."""


class Remembered(NamedTuple):
    """What is known; None: it has to be found out."""

    story: Story | None = None
    explained: Explanation | None = None


NOTHING = Remembered()


class Module(NamedTuple):
    """A module that was loaded with the scenario."""

    name: str
    file: str
    digest: str
    on_path: str
    """The file that an import of this name finds; empty where it is not found by its name alone."""


class Content(msgspec.Struct, frozen=True):
    """A file's content, behind a line with its checksum."""

    key: str
    user_file: str
    """The file that the scenario is in, if it is a user's: its id may say so from where he is."""
    modules: tuple[Module, ...]
    states: int
    known: Remembered


def recall(witness: Witness, path: Path, states: int) -> Remembered:
    """What is remembered of a witness that is kept at `path`, as far as it still follows."""
    file = beside(path)
    if file is None:
        return NOTHING
    try:
        check, _, text = reading.content(file).partition(b"\n")
        if check != _checksum(text):
            return NOTHING
        found = reading.json(text, Content)
    except UsageError:  # it is not there, or of another version
        return NOTHING
    if (found.key, found.user_file) != (_key(witness), _user_file(witness)):
        return NOTHING
    if not all(map(_is_the_same, found.modules)):
        return NOTHING
    return found.known if found.states == states else Remembered(found.known.story)


def remember(known: Remembered, witness: Witness, model: Model, path: Path, states: int) -> None:
    """Keep it for later. That it cannot be written costs no answer."""
    file = beside(path)
    if file is None or any(cpu.listing for cpu in model.setup.cpus):
        return
    content = Content(_key(witness), _user_file(witness), tuple(_modules()), states, known)
    text = msgspec.json.encode(content)
    with suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        write(file, _checksum(text) + b"\n" + text)


def _key(witness: Witness) -> str:
    found = blake2b(digest_size=16)
    for part in (msgspec.json.encode(witness), _sources()):
        found.update(b"%d:" % len(part) + part)
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


def _user_file(witness: Witness) -> str:
    file = user_file(witness.scenario)
    return os.path.realpath(file) if file else ""


def _modules() -> Iterator[Module]:
    """All modules that are neither Python's nor simbbm's, nor what that needs."""
    standard = sysconfig.get_path("stdlib")
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        top = name.partition(".")[0]
        if file and top not in _OTHERS | {"simbbm", "__main__"}:
            ours = not file.startswith(standard) or "site-packages" in file
            if ours and file.endswith(".py"):
                whole = _absolute(file)
                yield Module(name, whole, _digest(whole), _on_path(name))


def _is_the_same(module: Module) -> bool:
    """Whether a module has the same text, and no other file has come before it on the path."""
    return (module.digest, module.on_path) == (_digest(module.file), _on_path(module.name))


def _on_path(name: str) -> str:
    """The file that `import name` finds now.

    A module in a package, or a user's file, is found in another way and has its place.
    """
    spec = None if "." in name else PathFinder.find_spec(name)
    return _absolute(spec.origin) if spec and spec.origin else ""


def _absolute(file: str) -> str:
    return os.path.abspath(file)  # noqa: PTH100 - links stay: they are how it was found


def _checksum(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).hexdigest().encode()


def _digest(file: str) -> str:
    return blake2b(_content(Path(file)), digest_size=16).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
