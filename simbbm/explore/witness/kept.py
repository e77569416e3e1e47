"""A witness in the folder where witnesses are kept, or why it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from simbbm.explore.witness.files import save
from simbbm.explore.witness.record import Witness
from simbbm.explore.witness.token import token
from simbbm.host import writing


class Kept(NamedTuple):
    """A witness that was written, if it could be; the token says the same."""

    witness: Witness
    token: str
    path: Path | None
    unwritten: str = ""
    """Why there is no file."""


def keep(witness: Witness, directory: Path) -> Kept:
    """Write a witness; that it cannot be written costs no answer."""
    try:
        return Kept(witness, token(witness), save(witness, directory).absolute())
    except OSError as error:
        why = f"no witness written to {directory}: {writing.reason(error)}"
        return Kept(witness, token(witness), None, why)
