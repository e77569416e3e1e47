"""What a terminal gets to see: everything that is printed goes through here.

Names, labels and stories may come from somebody else, and a terminal obeys some characters in
place of showing them. Those are shown as text: control characters (an escape sequence may rewrite
the screen, or a title, or a link), those that turn the direction of writing, and what has no
characters at all. Colours are ours alone: `style` marks them with a secret that no text contains.
Lines that are longer than the terminal is wide are broken between words; a pipe gets them whole.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
from contextlib import suppress
from itertools import accumulate
from operator import itemgetter
from shutil import get_terminal_size
from typing import IO, Any, TextIO, cast

import click

from simbbm.host.folding import breaks

_SECRET = secrets.token_hex(8)
_STYLES = re.compile(rf"\x1b<{_SECRET}:([0-9;]*)>")
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad"  # C0 but newline and tab, DEL, C1, soft hyphen
    "\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # direction, separators, width 0
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # surrogates, marks, tags
)


def visible(text: str) -> str:
    """Return a text with every character shown that a terminal would obey.

    They are shown as JSON and Python escape them, so that JSON still says the same.
    """
    return _CONTROLS.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def style(text: object, **how: Any) -> str:
    """Give a text colours; `echo` makes them true."""
    before, _, after = click.style("\0", **how).partition("\0")
    return f"{_marked(before)}{text}{_marked(after)}"


def ours(text: str) -> str:
    """Let the colours of a text through in which nothing is somebody else's."""
    return _marked(text)


def _marked(codes: str) -> str:
    return re.sub(r"\x1b\[([0-9;]*)m", f"\x1b<{_SECRET}:\\1>", codes)


class CannotWrite(Exception):
    """Stdout does not take the answer. Not an OSError, of which click has ideas of its own."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.error = error


def echo(text: str = "", *, nl: bool = True, fold: bool = True) -> None:
    """Print a part of the answer; without `fold` lines stay whole on a narrow terminal."""
    if sys.stdout is None:
        raise CannotWrite(OSError(errno.EBADF, os.strerror(errno.EBADF)))
    try:
        click.echo(_rendered(text, width() if fold else None), nl=nl)
    except OSError as error:
        raise CannotWrite(error) from None


def echo_bytes(content: bytes) -> None:
    """Print an answer that is no text."""
    try:
        click.echo(content, nl=False)
    except OSError as error:
        raise CannotWrite(error) from None


def complain(text: str) -> None:
    """Say something on stderr, in a line of its own; nothing happens if nobody can hear it."""
    try:
        click.echo(f"simbbm: {_rendered(text)}", err=True)
    except OSError:
        mute(sys.stderr)


def stderr() -> TextIO:
    """Stderr for logs and progress: a terminal that is gone costs no answer."""
    return cast("TextIO", _Stderr())


class _Stderr:
    """Stderr, but for errors."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Show what can be shown."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def mute(stream: IO[str]) -> None:
    """Say nothing more on a stream, not even when the interpreter flushes it at its end."""
    with suppress(OSError, ValueError):  # no file: a test's capture, or closed already
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def width() -> int | None:
    """How wide the terminal is that gets the answer; None if it is none."""
    return get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def _rendered(text: str, width: int | None = None) -> str:
    """Shown text between true colours, in lines that are not too long."""
    parts = _STYLES.split(text)
    shown = [visible(part) for part in parts[::2]]
    ends = accumulate(map(len, shown))
    marks = [(at, at, f"\x1b[{codes}m") for at, codes in zip(ends, parts[1::2], strict=False)]
    whole = "".join(shown)
    if width is not None:
        marks = sorted([*marks, *breaks(whole, width)], key=itemgetter(0))
    pieces, done = [], 0
    for start, end, instead in marks:
        pieces += [whole[done:start], instead]
        done = max(done, end)
    return "".join((*pieces, whole[done:]))
