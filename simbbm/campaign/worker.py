"""What a worker process does: it computes one answer after the other, and dies with its parent.

An answer is computed by a function that the parent names, so that a worker serves campaigns and
searches alike. What a function keeps in its module stays for the next one.
"""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any, NamedTuple

from simbbm.core.errors import SimbbmError
from simbbm.host import signals
from simbbm.host.defects import defect, whole_traceback
from simbbm.host.memory import memory_used

GROWTH_BYTES = 64 << 20
"""Memory that a worker may keep of what it has computed. Python seldom gives memory back, and what
one search has used must not count against the `--max-memory` of the next."""


class Word(NamedTuple):
    """What a function says before it has an answer."""

    text: Any


class Reply(NamedTuple):
    """An answer, or the error of the function, or why there is neither."""

    answer: Any = None
    error: SimbbmError | None = None
    lost: str = ""
    last: bool = False
    """Whether the process ends with it."""


_parent: Connection | None = None


def say(text: Any) -> None:
    """Tell the parent how far the function is that is called in this worker."""
    if _parent is not None:
        _send(_parent, Word(text))


def serve(connection: Connection) -> None:
    """The main function of a worker: answer what is asked until nobody asks any more."""
    global _parent  # noqa: PLW0603 - a worker has one parent
    _parent = connection
    signals.leave_to_parent()
    Thread(target=_follow_parent, daemon=True).start()
    most = memory_used() + GROWTH_BYTES
    while True:
        try:
            function, args = connection.recv()
        except (EOFError, OSError):
            return
        reply = _reply(function, args)
        if memory_used() > most:
            reply = reply._replace(last=True)
        try:
            _send(connection, reply)
        except Exception as error:  # noqa: BLE001 - what cannot be sent is a defect, too
            _send(connection, Reply(error=_told(error)))
        if reply.last:
            return


def _reply(function: Any, args: tuple[Any, ...]) -> Reply:
    try:
        return Reply(function(*args))
    except MemoryError:
        return Reply(lost="out of memory", last=True)
    except SimbbmError as error:
        return Reply(error=error)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        return Reply(error=_told(error))


def _told(error: Exception) -> SimbbmError:
    if whole_traceback():
        traceback.print_exception(error)
    return defect(error)


def _send(connection: Connection, what: Reply | Word) -> None:
    with suppress(BrokenPipeError):  # the parent does not wait for it any more
        connection.send(what)


def _follow_parent() -> None:
    """Never outlive the parent, however it ends."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the main thread may be in the midst of a long run
