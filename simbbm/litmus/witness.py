"""A run to an outcome as a witness, which `show` and `replay` accept."""

from __future__ import annotations

import msgspec

from simbbm.explore.runs.play import play
from simbbm.explore.runs.schedule import Along
from simbbm.explore.witness.recording import Witness, witness_from
from simbbm.model import Model


def witness_of(model: Model, way: tuple[int, ...], outcome: str) -> Witness:
    """Play the moves to an outcome, then politely to the end, and record the run."""
    witness = witness_from(play(model, Along(way)))
    if witness.property is not None:
        return witness
    return msgspec.structs.replace(witness, message=f"ends in {outcome}")
