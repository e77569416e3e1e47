"""From a witness to the model that it is of, without running a program that nobody has allowed.

A witness may come from somebody else. It names a scenario by id, and a user's file is a program: it
is loaded only if its user has named it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from simbbm import discovery
from simbbm.core.errors import UsageError
from simbbm.explore.witness.record import Witness
from simbbm.ids import require_allowed
from simbbm.model import Model


def recorded(witness: Witness, allowed: Iterable[Path], hint: str) -> tuple[Witness, Model]:
    """Return the witness with all parameters, and its model; `hint` says how to allow a file.

    Parameters that the scenario did not have when the witness was written get their defaults.
    """
    file = require_allowed(witness.scenario, allowed, hint)
    try:
        model = Model(discovery.find(witness.scenario), witness.params)
    except UsageError as error:
        place = "a file is named as it was given to run: replay from the same directory"
        why = f"a witness of {witness.scenario}: {error.message}"
        raise UsageError(why, place if file else error.hint) from None
    return msgspec.structs.replace(witness, params=model.params), model
