"""Errors, split by whose fault they are.

Each is one line: what is wrong, where, and (`hint`) how to mend it.
"""

from __future__ import annotations

from typing import NamedTuple


class Where(NamedTuple):
    """A place in a source file, as an author would look it up."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class SimbbmError(Exception):
    """Base of all errors that a user may see."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[SimbbmError], tuple[str, str | None]]:
        # The default rebuilds from `args` alone: the hint of an error in a worker would be lost.
        return type(self), (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ScenarioError(SimbbmError):
    """The author of a scenario made a mistake; the message names file and line."""


class EditError(ScenarioError):
    """An edit of a twin names a step that no program has."""


class UsageError(SimbbmError):
    """The command line or a parameter is wrong."""


class ReplayDivergence(SimbbmError):
    """A witness no longer fits the scenario that it was recorded from."""


class ModelError(SimbbmError):
    """simbbm contradicts itself: a defect of ours, never of the user's."""
