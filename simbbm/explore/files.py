"""Witness files: one JSON object each, named by content.

A name is never reused for other content, so that a name in an old log still means what it meant.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from simbbm.core.errors import UsageError
from simbbm.explore.record import SCHEMA, Witness
from simbbm.explore.token import from_token, is_token

_NAME_CHARACTERS = 12
_FAMILY, _, _VERSION = SCHEMA.partition("/")


def save(witness: Witness, directory: Path) -> Path:
    """Write a witness under the name of its content; return where."""
    content = _content(witness)
    name = blake2b(content, digest_size=32).hexdigest()
    _make(directory)
    for length in range(_NAME_CHARACTERS, len(name) + 1):
        path = directory / f"{name[:length]}.json"
        if not path.exists():
            _write(path, content)
            return path
        if path.read_bytes() == content:
            return path
    raise FileExistsError(path)


def save_as(witness: Witness, path: Path) -> Path:
    """Write a witness where a user wants it; return its absolute path. UsageError if that fails."""
    try:
        path.write_bytes(_content(witness))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
    return path.absolute()


def _content(witness: Witness) -> bytes:
    return msgspec.json.format(msgspec.json.encode(witness), indent=1) + b"\n"


def _make(directory: Path) -> None:
    """Make a folder that git does not look into. One that was there already is left alone."""
    home = directory.parent if directory.parent.name == ".simbbm" else directory
    if home.exists() and home == directory:
        return
    directory.mkdir(parents=True, exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        _write(ignore, b"*\n")


def _write(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path) -> Witness:
    """Read a witness file; raise UsageError with one line if it is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        _check_schema(path, msgspec.json.decode(content))
        witness = msgspec.json.decode(content, type=Witness)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a witness: {error}") from None
    except msgspec.DecodeError as error:
        cut = content[:1] == b"{" and not content.rstrip().endswith(b"}")
        why = "truncated" if cut or "truncated" in str(error) else "not a witness, nor JSON"
        raise UsageError(f"{path}: {why}", "a witness is written by run or stress") from None
    _check_order(path, witness)
    return witness


def _check_schema(path: Path, data: Any) -> None:
    schema = data.get("schema") if isinstance(data, dict) else None
    family, _, version = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    if family != _FAMILY or not version.isdecimal():
        raise UsageError(f"{path}: not a witness", "a witness is written by run or stress")
    if int(version) > int(_VERSION):
        raise UsageError(f"{path}: a witness of a newer schema ({schema})", "update simbbm")


def _check_order(path: Path, witness: Witness) -> None:
    steps = [decision.step for decision in witness.decisions]
    if steps != sorted(set(steps)) or (steps and not 0 <= steps[0] <= steps[-1] < witness.steps):
        raise UsageError(f"{path}: not a witness: its decisions are out of order")
    if witness.loop is not None and not 0 <= witness.loop < witness.steps:
        raise UsageError(f"{path}: not a witness: no step {witness.loop} to go back to")


def read(text: str) -> Witness:
    """Read a witness from a token or, if it is not one, from the file of that name."""
    path = Path(text)
    if is_token(text) and not _exists(path):
        return from_token(text)
    return load(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a long token is no possible name
        return False
