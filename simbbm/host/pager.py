"""A text that is longer than a screen, through the user's pager.

`PAGER` names it, as for other programs (empty, or `cat`: none); without it that is less, which ends
by itself where the text fits the screen. Where there is no pager, and where a terminal is not at
both ends, nothing is paged.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from shutil import which

from simbbm.host.terminal import echo, ours

LESS = "FRX"
"""Less ends at once if all fits, lets colours through, and leaves the text on the screen."""


def pager() -> list[str]:
    """The command that pages; empty: there is none."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        return []
    try:
        command = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # a quotation that does not end
        return []
    if command in ([], ["cat"]) or which(command[0]) is None:
        return []
    return command


def show(text: str) -> None:
    """Show a text of ours, colours and all, through the pager if there is one."""
    command = pager()
    if not command:
        echo(ours(text), nl=False, fold=False)
        return
    environment = {"LESS": LESS} | os.environ
    running = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        with suppress(BrokenPipeError):  # who has read enough leaves
            running.communicate(text.encode())
    finally:
        running.wait()
        signal.signal(signal.SIGINT, before)
    if running.returncode == -signal.SIGINT:
        raise KeyboardInterrupt
