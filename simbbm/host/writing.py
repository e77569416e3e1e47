"""Writing files: whole, or not at all.

What is written goes into a new file beside the one that is meant, which then takes its name. So a
full disk, a signal or a crash leaves what was there before, and nobody ever reads a half. The new
file's name cannot be foreseen, so that nobody can put a link in its place.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def write(path: Path, content: bytes, *, new: bool = False) -> None:
    """Write a file, in the place of what has this name; FileExistsError if it is to be `new`.

    A link is replaced, not followed. What is no file (a terminal, a pipe) is written to as it is.
    """
    if not new and _is_device(path):
        _write_to(os.open(path, os.O_WRONLY | os.O_NOCTTY), content)
        return
    beside = path.with_name(f".simbbm-{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o666)  # if this fails, what is there is not ours
    try:
        _write_to(descriptor, content, like=None if new else path)
        if new:
            _reserve(path)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder that git does not look into. One that was there already is left alone."""
    home = folder.parent if folder.parent.name == ".simbbm" else folder
    if home.exists() and home == folder:
        return
    folder.mkdir(parents=True, exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        write(ignore, b"*\n")


def lock_file(path: str) -> int:
    """Open a file that is there to be locked, and has nothing in it; return its descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def reason(error: OSError) -> str:
    """Say why something could not be written."""
    return error.strerror or str(error)


def _is_device(path: Path) -> bool:
    """Whether a name is of something that is no file, and must not be replaced by one."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _write_to(descriptor: int, content: bytes, like: Path | None = None) -> None:
    with open(descriptor, "wb") as file:
        if like is not None:
            _permit_alike(descriptor, like)
        file.write(content)
        file.flush()
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)


def _permit_alike(descriptor: int, path: Path) -> None:
    """Who may read a file may also read the one that takes its place."""
    with suppress(OSError):  # there is none, or it is somebody else's
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            os.fchmod(descriptor, stat.S_IMODE(mode) & 0o777)


def _reserve(path: Path) -> None:
    """Take a name that nobody has; it is then replaced by what was written."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))


def _sync_folder(folder: Path) -> None:
    """Make the new name last; some file systems cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
