"""Witness files: one JSON object each, named by content.

A name is never reused for other content, so that a name in an old log still means what it meant.
What is read back was perhaps written by somebody else: all of it is looked at before it is used.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from simbbm.core.errors import UsageError
from simbbm.explore.witness.record import SCHEMA, Witness, mistake
from simbbm.explore.witness.token import from_token, is_token
from simbbm.host import reading
from simbbm.host.reading import FILE_MAX, quoted
from simbbm.host.writing import make_folder, reason, write

_NAME_CHARACTERS = 12
_FAMILY, _, _VERSION = SCHEMA.partition("/")
_HINT = "check, explore, run and stress write witnesses"


def save(witness: Witness, directory: Path) -> Path:
    """Write a witness under the name of its content; return where."""
    content = as_file(witness)
    name = _digest(content)
    make_folder(directory)
    for length in range(_NAME_CHARACTERS, len(name) + 1):
        path = directory / f"{name[:length]}.json"
        if not reading.is_file(path):
            write(path, content)
            return path
        if reading.content(path) == content:
            return path
    raise FileExistsError(path)


def beside(path: Path) -> Path | None:
    """Where what was found out about a witness stands; None if its folder is none of simbbm's."""
    home = path.absolute().parent.parent
    return home / "explained" / path.name if home.name == ".simbbm" else None


def name_of(witness: Witness) -> str:
    """The name that a witness has, in a folder where no other content has it."""
    return _digest(as_file(witness))[:_NAME_CHARACTERS]


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=32).hexdigest()


def check_target(path: Path) -> None:
    """Raise UsageError for what no file can be written to, before there is anything to write."""
    if not reading.is_folder(path.parent):
        raise UsageError(f"cannot write {quoted(path)}: No such file or directory")


def save_as(witness: Witness, path: Path) -> Path:
    """Write a witness where a user wants it; return its absolute path. UsageError if that fails."""
    try:
        write(path, as_file(witness))
    except OSError as error:
        raise UsageError(f"cannot write {quoted(path)}: {reason(error)}") from None
    return path.absolute()


def as_file(witness: Witness) -> bytes:
    """The content of a witness's file."""
    content = msgspec.json.format(msgspec.json.encode(witness), indent=1) + b"\n"
    if len(content) > FILE_MAX:
        raise UsageError(f"a witness of {witness.steps:,} steps is too large for a file")
    return content


def load(path: Path) -> Witness:
    """Read a witness file; raise UsageError with one line if it is none."""
    content = reading.content(path)
    where = quoted(path)
    try:
        _check_schema(where, reading.json(content))
        witness = reading.json(content, Witness)
    except reading.NotJson as error:
        cut = content[:1] == b"{" and not content.rstrip().endswith(b"}")
        why = "truncated" if cut or "truncated" in error.message else "not a witness, nor JSON"
        raise UsageError(f"{where}: {why}", _HINT) from None
    except _Told as error:
        raise UsageError(error.message, error.hint) from None
    except UsageError as error:
        raise UsageError(f"{where}: not a witness: {error.message}") from None
    if not re.fullmatch("[0-9a-f]{10,32}", witness.digest):  # 10 are left if it was a token
        raise UsageError(f"{where}: not a witness: its digest is not 32 hexadecimal digits")
    if wrong := mistake(witness):
        raise UsageError(f"{where}: not a witness: {wrong}")
    return witness


class _Told(UsageError):
    """An error that says already which file it is about."""


def _check_schema(where: str, data: Any) -> None:
    schema = data.get("schema") if isinstance(data, dict) else None
    family, _, text = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if family != _FAMILY or not (text.isascii() and text.isdecimal()):
        raise _Told(f"{where}: not a witness", _HINT)
    version = reading.number(text)
    if version is None or version > int(_VERSION):
        raise _Told(f"{where}: a witness of a newer schema ({quoted(schema)})", "update simbbm")


def read(text: str) -> Witness:
    """Read a witness from a token or, if it is not one, from the file of that name."""
    path = Path(text)
    if is_token(text) and not reading.is_file(path):
        witness = from_token(text)
        if wrong := mistake(witness):
            raise UsageError(f"not a token of a witness: {wrong}")
        return witness
    try:
        return load(path)
    except UsageError as error:
        raise UsageError(error.message, error.hint or "simbbm witness lists what is kept") from None
