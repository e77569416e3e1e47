"""Whose mistake an exception is: the author's, if a file of the author's is in its traceback."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from simbbm.core.errors import ScenarioError, SimbbmError, Where

_PACKAGE = Path(__file__).resolve().parents[2]
_OURS = (f"{_PACKAGE}/", f"{sysconfig.get_path('stdlib')}/", "<frozen")


def called(said: str, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call an author's function; an exception becomes a ScenarioError that names file and line."""
    try:
        return function(*args, **named)
    except Exception as error:
        if mistake := _authors_mistake(said, error):
            raise mistake from error
        raise


def _authors_mistake(said: str, error: Exception) -> ScenarioError | None:
    """The error as one line; None if the traceback has no file of the author's."""
    if isinstance(error, SimbbmError | MemoryError):
        return None
    where = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OURS):
            where = Where(file, trace.tb_lineno)
        trace = trace.tb_next
    if where is None:
        return None
    told = str(error)
    return ScenarioError(f"{where}: {said}: {type(error).__name__}{f': {told}' if told else ''}")
