"""Signals that ask a process to end: SIGINT, SIGTERM and SIGHUP, in one place for every command.

The first one raises KeyboardInterrupt, so that a command can end with what it has found; code that
does not catch it ends. Further ones change nothing, since `timeout` and a terminal that closes send
several; but a SIGINT after another signal ends the process at once.

A signal that is ignored when the process starts (by nohup, or a shell's background) stays ignored.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""The exit code of a process that ends at once: what a shell says of one that Ctrl-C ended."""

_listeners: list[Callable[[], object]] = []
_met = False


def handle() -> None:
    """Handle the signals of this process from now on."""
    atexit.register(_ignore)  # the first that is registered is the last to be called
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def leave_to_parent() -> None:
    """Ignore the signals: a worker ends when its parent says so, or is gone."""
    _ignore()


def let_go() -> None:
    """Let them end the process at once: everything has been said.

    Not by the signal itself: then nobody could tell it from a process that has said nothing. While
    Python takes itself down it calls no handler any more; that takes no time, and they are ignored.
    """
    for number in ENDING:
        if signal.getsignal(number) is _end:
            signal.signal(number, _end_at_once)


def _ignore() -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _end_at_once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
    os._exit(INTERRUPTED)


def met() -> bool:
    """Whether the process has been asked to end."""
    return _met


@contextmanager
def told(listener: Callable[[], object]) -> Iterator[None]:
    """Call `listener` in place of a KeyboardInterrupt, where that could break things in two."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
    global _met  # noqa: PLW0603 - signals are the process's
    if _met:
        if number == signal.SIGINT:
            os._exit(INTERRUPTED)
        return
    _met = True
    if not _listeners:
        raise KeyboardInterrupt
    _listeners[-1]()
