"""A run to an outcome as a witness, which `show` and `replay` accept."""

from __future__ import annotations

import msgspec

from simbbm.explore.runs.play import play
from simbbm.explore.runs.schedule import Along
from simbbm.explore.witness.recording import Witness, witness_from
from simbbm.litmus.run import Ending, Result


def witness_of(result: Result, ending: Ending) -> Witness:
    """Play the moves to an outcome, then politely to the end, and record the run."""
    run = play(result.model, Along(ending.way))
    witness = witness_from(run)
    if run.property is not None:
        return witness
    return msgspec.structs.replace(witness, message=f"ends in {ending.text}")
