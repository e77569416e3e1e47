"""Whose mistake an exception is: the author's, if a file of the author's is in its traceback."""

from __future__ import annotations

import inspect
import re
import sysconfig
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType, TracebackType
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
    where, names = None, {}
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OURS):
            where, names = Where(file, trace.tb_lineno), trace.tb_frame.f_globals
        trace = trace.tb_next
    if where is None:
        return None
    told = str(error)
    message = f"{where}: {said}: {type(error).__name__}{f': {told}' if told else ''}"
    return ScenarioError(message, meant(told, names))


_UNEXPECTED = re.compile(
    r"(\w+)(?:\.__\w+__)?\(\) got an unexpected keyword argument '(\w+)'(?!\. Did you mean)"
)
"""What Python says of an argument that a function does not have; from 3.13 on it suggests one."""


def meant(told: str, names: Mapping[str, Any]) -> str | None:
    """Of an error's text: the argument that was meant, if its function is known by these names."""
    match = _UNEXPECTED.search(told)
    if match is None:
        return None
    modules = [value for value in names.values() if isinstance(value, ModuleType)]
    found = names.get(match[1]) or next(
        (getattr(m, match[1]) for m in modules if hasattr(m, match[1])), None
    )
    if not callable(found):
        return None
    known = list(inspect.signature(found).parameters)
    close = get_close_matches(match[2], known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"it takes {', '.join(known)}"
