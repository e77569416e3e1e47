"""Whose mistake an exception is: an author's, if it went through a file of his."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from types import TracebackType

from simbbm.core.errors import ScenarioError, SimbbmError, Where

_PACKAGE = Path(__file__).resolve().parent.parent
_SHIPPED = f"{_PACKAGE}/scenarios/"
_OURS = (f"{_PACKAGE}/", f"{sysconfig.get_path('stdlib')}/", "<frozen")


def authors_mistake(error: Exception) -> ScenarioError | None:
    """The error in a line, with file and line of an author's code; None if that had no part."""
    if isinstance(error, SimbbmError | MemoryError):
        return None
    where = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OURS) or file.startswith(_SHIPPED):
            where = Where(file, trace.tb_lineno)
        trace = trace.tb_next
    if where is None:
        return None
    told = str(error)
    return ScenarioError(f"{where}: {type(error).__name__}{f': {told}' if told else ''}")
