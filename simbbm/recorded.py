"""From a witness to the model that it is of, without running a program that nobody has allowed.

A witness may come from somebody else. It names a scenario by id, and a user's file is a program: it
is loaded only if its user has named it too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from simbbm import discovery
from simbbm.core.errors import UsageError
from simbbm.explore.witness.record import Witness
from simbbm.host.reading import is_file
from simbbm.model import Model


def recorded(witness: Witness, allowed: Iterable[Path], hint: str) -> tuple[Witness, Model]:
    """Return the witness with all parameters, and its model; `hint` says how to allow a file.

    Parameters that the scenario did not have when the witness was written get their defaults.
    """
    file = discovery.user_file(witness.scenario)
    if file and is_file(file) and os.path.realpath(file) not in map(os.path.realpath, allowed):
        raise UsageError(
            f"a witness of {witness.scenario}: that file is a program, and not run unasked", hint
        )
    try:
        model = Model(discovery.find(witness.scenario), witness.params)
    except UsageError as error:
        place = "a file is named as it was given to run: replay from the same directory"
        why = f"a witness of {witness.scenario}: {error.message}"
        raise UsageError(why, place if file else error.hint) from None
    return msgspec.structs.replace(witness, params=model.params), model
