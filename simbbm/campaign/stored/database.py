"""A file of SQLite's: opened by one who writes or by many who read, with errors in one line."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import quoted
from simbbm.host.writing import lock_file


class Held(UsageError):
    """Somebody else is writing."""


class Unwritable(UsageError):
    """There is no room for more, or it must not be written to."""


def is_held(path: Path) -> bool:
    """Whether somebody writes to a store."""
    try:
        with held(path):
            return False
    except Held:
        return True
    except (UsageError, OSError):  # where nobody can write
        return False


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the store, for as long as this process lives at most; Held if somebody else does.

    A file of its own is locked: SQLite loses its locks when another descriptor of its file closes.
    """
    try:
        descriptor = lock_file(f"{path}-lock")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {quoted(path)}: {reading.reason(error)}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        why = f"{quoted(path)}: another process goes on with this campaign"
        raise Held(
            why, "wait for it, or end it; simbbm campaign status shows how far it is"
        ) from None
    finally:
        os.close(descriptor)


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file to read. Where nothing can be written beside it, a copy is read.

    Beside it is what was written last and is not in it yet, which SQLite puts there to be looked
    up: that takes a file to be made.
    """
    try:
        connection = sqlite3.connect(_uri(path), uri=True, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
            yield connection
            return
        finally:
            connection.close()
    except sqlite3.OperationalError:
        if os.access(path.parent, os.W_OK):
            raise
    with TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        for ending in ("", "-wal"):
            if reading.is_file(f"{path}{ending}"):
                shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            yield connection


def _uri(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Say in one line what SQLite complains of."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        said = quoted(path)
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
            raise Unwritable(f"cannot write {said}: {error}", "what it has stays") from None
        raise UsageError(f"{said}: not a campaign's store, or damaged: {error}") from None
    except UnicodeError:  # where a text should be, of a message, too
        raise UsageError(f"{quoted(path)}: damaged", "begin anew, or restore a copy") from None
