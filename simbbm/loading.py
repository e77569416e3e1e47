"""Running an author's file, and telling his mistakes in one line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from simbbm.core.errors import ScenarioError, SimbbmError
from simbbm.core.programs.blame import meant
from simbbm.core.programs.fresh import require_same_constants
from simbbm.host import reading


def run_twice(path: Path, package: str) -> ModuleType:
    """Run a user's file as a module of this package, twice.

    Leaves no bytecode beside it, and never meets an outdated one. Its assertions are kept even
    under `python -O`: programs rely on them.
    """
    module = ModuleType(f"{package}.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    with AuthorsErrors(path):
        code = compile(reading.content(path), str(path), "exec", optimize=0)
        exec(code, vars(module))  # noqa: S102 - what it is for
        again = ModuleType(module.__name__)
        again.__file__ = str(path)
        exec(code, vars(again))  # noqa: S102 - the same once more, to compare
        require_same_constants(vars(module), vars(again))
    return module


class AuthorsErrors:
    """Whatever a file raises while it is loaded is its author's mistake: say where, in one line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            return
        where, names = self._where(error)
        if isinstance(error, SimbbmError):
            message = error.message if where in error.message else f"{where}: {error.message}"
            raise ScenarioError(message, error.hint) from None
        told = error.msg if isinstance(error, SyntaxError) else str(error)
        message = f"{where}: {type(error).__name__}: {told}"
        raise ScenarioError(message, meant(told, names)) from None

    def _where(self, error: BaseException) -> tuple[str, Mapping[str, Any]]:
        """The last line of the author's own file on the way to the error, and what it can name."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}:{error.lineno}", {}
        where, names = str(self.path), {}
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(self.path):
                where, names = f"{self.path}:{trace.tb_lineno}", trace.tb_frame.f_globals
            trace = trace.tb_next
        return where, names
