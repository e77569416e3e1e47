"""Reading what others wrote: files, JSON, numbers. Everything is bounded, and refused in one line.

A file may come from anywhere and be anything: too large, nested without end, a number of a million
digits, no text at all. All of them are read here, and nothing worse than a UsageError is raised.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, overload

from simbbm.core.errors import UsageError

T = TypeVar("T")

FILE_MAX = 64 << 20
"""Bytes of a file. The largest witness that simbbm writes is smaller (`explore.witness.files`)."""
STEPS_MAX = 200_000
"""Steps of a run that is recorded, and of any run that a command makes: whatever was run can be
recorded, and whatever is recorded can be read back in seconds."""
NAME_MAX = 4_096
"""Characters of a name: an id, a label, a path."""
DIGITS_MAX = 18
"""Digits of a number, decimal or hexadecimal."""
QUOTED_MAX = 120
"""Characters of somebody's text that are repeated in a message about it."""
NEAR_MAX = 200
"""Characters of a name that is compared with others: that takes time with the square of them."""


def content(path: Path, largest: int | None = None) -> bytes:
    """Read a file that is not too large: FILE_MAX, or what its kind may have."""
    most = FILE_MAX if largest is None else largest
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{quoted(path)}: cannot be read: {reason(error)}") from None
    if len(found) > most:
        raise UsageError(f"{quoted(path)}: cannot be read: larger than {most >> 20} MiB")
    return found


def text(path: Path) -> str:
    """Read a text file that is not too large; a mark of byte order before it is none of it."""
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{quoted(path)}: cannot be read: not UTF-8") from None


def require_file(path: Path) -> None:
    """Raise UsageError for a file that is not there, or cannot be read."""
    try:
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise UsageError(f"{quoted(path)}: cannot be read: {reason(error)}") from None


def reason(error: OSError | ValueError) -> str:
    """Say why a file could not be read."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else "no possible name"


class NotJson(UsageError):
    """A text that is not JSON at all."""


@overload
def json(text: bytes | str) -> Any: ...
@overload
def json(text: bytes | str, kind: type[T]) -> T: ...
def json(text: bytes | str, kind: Any = Any) -> Any:
    """Read JSON of a kind. NotJson if it is none, UsageError if it says something else."""
    import msgspec  # noqa: PLC0415 - commands that read none start without it

    if isinstance(text, bytes):
        text = text.removeprefix(BOM_UTF8)
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise UsageError(quoted(error)) from None
    except RecursionError:
        raise UsageError("nested too deeply") from None
    except msgspec.DecodeError as error:
        raise NotJson(quoted(error)) from None


def number(text: str, *, digits: int = DIGITS_MAX) -> int | None:
    """Read a number, decimal or 0x and hexadecimal; None if it is none, or has too many digits."""
    match = re.fullmatch(r"(?:0[xX]([0-9a-fA-F]+)|([0-9]+))", text)
    if match is None or len(match[1] or match[2]) > digits:
        return None
    return int(match[1], 16) if match[1] else int(match[2])


def decimal(text: str) -> int | None:
    """Read a decimal number; None if it is none, or has too many digits."""
    return number(text) if text.isdecimal() else None


def check_name(file: str) -> None:
    """Raise UsageError for a file whose name is no text: ids and witnesses have it in them."""
    try:
        file.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{quoted(file)}: its name is not UTF-8", "rename it") from None
    if not is_one_line(file):
        raise UsageError(f"{quoted(file)}: its name is longer than a line", "rename it")


def is_one_line(text: str) -> bool:
    """Whether a text can stand in a line, and is short enough for a name."""
    return len(text) <= NAME_MAX and "\t" not in text and text.splitlines() in ([], [text])


def is_file(path: Path | str) -> bool:
    """Whether there is such a file; no name is too strange to ask."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file() raises for a name that is too long


def is_folder(path: Path | str) -> bool:
    """Whether there is such a folder; no name is too strange to ask."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def quoted(text: object) -> str:
    """Somebody's text as a message repeats it: not all of it, if it is long."""
    try:
        shown = str(text)
    except ValueError:  # an int of more digits than Python writes
        return "a number of very many digits"
    if len(shown) <= QUOTED_MAX:
        return shown
    half = QUOTED_MAX // 2
    return f"{shown[:half]}…{shown[-half:]}"


def nearest(text: str, known: Iterable[str], cutoff: float = 0.4) -> str | None:
    """The nearest of some names; None if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only when somebody mistyped

    close = get_close_matches(text, known, n=1, cutoff=cutoff) if len(text) <= NEAR_MAX else ()
    return close[0] if close else None
