"""`simbbm guide`: its pages are there, installed or not."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from functools import partial

import pytest

from simbbm.cli.commands.guide import pages, typeset
from tests.cli.commandline import Cli


def test_pages_are_listed_with_their_titles(simbbm: Cli) -> None:
    lines = simbbm.ok("guide").splitlines()

    assert len(pages()) == len(lines)
    assert ["trust", "What a PROVED rests on"] in [line.split(maxsplit=1) for line in lines]


@pytest.mark.parametrize("topic", pages())
def test_a_page_is_shown_whole(simbbm: Cli, topic: str) -> None:
    told = simbbm.ok("guide", topic)

    assert pages()[topic] == told
    assert told.startswith("# ")
    # Tables fold on a terminal, and a litmus test is one line.
    prose = [line for line in told.splitlines() if not line.startswith(("|", "{"))]
    assert all(len(line) <= 110 for line in prose)


def test_an_unknown_page_names_the_nearest(simbbm: Cli) -> None:
    result = simbbm("guide", "trut")

    assert 2 == result.exit_code
    assert "nearest: trust" in result.stderr


def test_what_is_near_to_no_page_is_told_all_of_them(simbbm: Cli) -> None:
    told = simbbm.refused("guide", "zzz")

    assert "pages are first, " in told
    assert "nearest" not in told


def test_a_page_is_found_in_capitals(simbbm: Cli) -> None:
    assert pages()["ci"] in simbbm.ok("guide", "CI")


# On a terminal.


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Let the answer go to a terminal that wide, without a pager."""
    monkeypatch.setattr("simbbm.cli.commands.guide.width", lambda: columns)


def test_a_terminal_gets_a_page_that_is_set(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch, 80)
    told = simbbm("guide", "trust", NO_COLOR="", TERM="xterm-256color").stdout
    assert told != pages()["trust"]
    assert "What a PROVED rests on" in told
    assert "# What" not in told
    assert "\x1b[1" in typeset(pages()["trust"], 80)
    assert all(len(line) <= 80 for line in told.splitlines())


@pytest.mark.parametrize("topic", pages())
def test_a_page_that_is_set_keeps_its_words(topic: str) -> None:
    """Nothing is lost: code stands as on the page, but for where long lines go on."""
    told = "".join(re.sub(r"\x1b\[[0-9;]*m", "", typeset(pages()[topic], 200)).split())
    code = re.findall(r"^```\w*\n(.*?)^```", pages()[topic], re.DOTALL | re.MULTILINE)

    assert all("".join(line.split()) in told for block in code for line in block.splitlines())


def test_no_color_is_the_page_itself(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch, 200)

    assert pages()["trust"] == simbbm.ok("guide", "trust", NO_COLOR="1")


def paged(command: str, *keys: bytes, no_color: str = "") -> tuple[int, str]:
    """Exit code and output of `simbbm guide trust` on a terminal of its own, with that pager."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PAGER": command, "TERM": "xterm", "NO_COLOR": no_color}
    process = subprocess.Popen(
        [sys.executable, "-m", "simbbm", "guide", "trust"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        preexec_fn=partial(controlled_by, theirs),  # noqa: PLW1509 - no other threads here
    )
    os.close(theirs)
    out = b""
    pressed = [*keys]
    with suppress(OSError):  # the terminal's other end is closed
        while part := os.read(ours, 65536):
            out += part
            if pressed and b"ready" in out:
                os.write(ours, pressed.pop(0))
    os.close(ours)
    return process.wait(60), out.decode()


def controlled_by(terminal: int) -> None:
    """In the child: this terminal's keys are signals to it."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


PAGERS = {
    "cat": (0, "rests on"),
    "no-such-pager": (0, "rests on"),
    "tail -n 1": (0, ""),
    "true": (0, ""),
    "'unfinished": (0, "rests on"),
}


@pytest.mark.parametrize("command", PAGERS)
def test_the_users_pager_is_asked(command: str) -> None:
    """One that is not there, or ends before it has read anything, is no error."""
    code, text = PAGERS[command]
    ended, out = paged(command)

    assert (code, True) == (ended, text in out)
    assert "Traceback" not in out
    assert ("What a PROVED" in out) is bool(text)


def test_ctrl_c_is_the_pagers() -> None:
    """One that ends by it ends the command, without a traceback."""
    code, out = paged("sh -c 'echo ready; exec sleep 60'", b"\x03")

    assert 130 == code, out
    assert "Traceback" not in out
