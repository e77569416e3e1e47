"""An unexpected exception as an error message of one line: it is a defect of simbbm."""

from __future__ import annotations

import os

from simbbm.core.errors import ModelError

WHOLE_TRACEBACK = "SIMBBM_TRACEBACK"
"""Environment variable: set, a defect is shown as Python shows it."""


def whole_traceback() -> bool:
    """Whether a defect is shown as a traceback, for those who want to fix it."""
    return bool(os.environ.get(WHOLE_TRACEBACK))


def defect(error: Exception) -> ModelError:
    """The error for an unexpected exception; it says where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "?"
    if trace is not None:
        file = trace.tb_frame.f_code.co_filename
        where = f"{os.path.basename(file)}:{trace.tb_lineno}"  # noqa: PTH119 - a name, not a file
    return ModelError(
        f"internal error: {type(error).__name__}: {error} at {where}",
        f"a defect of simbbm; {WHOLE_TRACEBACK}=1 shows the whole traceback",
    )
