"""The witnesses of a folder: listed, and removed.

A folder may hold other files: a witness of another version, one that was cut off by a full disk,
somebody's notes. They are listed with what is wrong with them, and never removed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from simbbm.core.errors import UsageError
from simbbm.explore.witness.files import beside, load
from simbbm.explore.witness.record import Witness
from simbbm.host.reading import is_file, is_folder, nearest, quoted
from simbbm.host.writing import reason


class Entry(NamedTuple):
    """A file of the folder: a witness, or what keeps it from being one."""

    path: Path
    written: float
    """When, in seconds since the epoch; 0 if that cannot be told."""
    witness: Witness | None
    error: UsageError | None


def entries(folder: Path) -> list[Entry]:
    """Every file of a folder that is not hidden, the newest first; none if there is no folder."""
    if not is_folder(folder):
        return []
    try:
        paths = [p for p in folder.iterdir() if not p.name.startswith(".") and not p.is_dir()]
    except OSError as error:
        raise UsageError(f"cannot read {quoted(folder)}: {reason(error)}") from None
    return sorted(map(_entry, paths), key=lambda entry: (-entry.written, entry.path))


def _entry(path: Path) -> Entry:
    try:
        written = path.stat().st_mtime
    except OSError:
        written = 0.0
    if not is_file(path):  # a pipe would be waited for
        return Entry(path, written, None, UsageError(f"{quoted(path)}: not a witness: no file"))
    try:
        return Entry(path, written, load(path), None)
    except UsageError as error:
        return Entry(path, written, None, error)


def chosen(known: list[Entry], folder: Path, names: tuple[str, ...]) -> list[Entry]:
    """The witnesses that are named, each by its path, its file's name, or that without `.json`.

    UsageError for a name that is none of the folder's, or of a file that is no witness.
    """
    by_name = {entry.path.name: entry for entry in known}
    found: dict[Path, Entry] = {}
    for name in names:
        path = Path(name)
        entry = by_name.get(name) or by_name.get(f"{name}.json")
        if entry is None and path.parent.absolute() == folder.absolute():
            entry = by_name.get(path.name)
        if entry is None:
            close = nearest(name, [n.removesuffix(".json") for n in by_name])
            hint = f"did you mean {close}?" if close else "simbbm witness lists them"
            raise UsageError(f"{quoted(folder)} has no witness {quoted(name)}", hint)
        if entry.error is not None:
            raise UsageError(f"{entry.error.message}; it is not removed", "remove it yourself")
        found[entry.path] = entry
    return list(found.values())


def remove(entry: Entry) -> None:
    """Remove the file of a witness, or a link to one. UsageError if that is not allowed."""
    assert entry.witness is not None
    try:
        entry.path.unlink()
    except OSError as error:
        raise UsageError(f"cannot remove {quoted(entry.path)}: {reason(error)}") from None
    if explained := beside(entry.path):
        with suppress(OSError):
            explained.unlink(missing_ok=True)
