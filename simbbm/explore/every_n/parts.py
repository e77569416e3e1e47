"""Shared and local states by number: equal ones are one."""

from __future__ import annotations

from typing import Generic, TypeVar

from simbbm.explore.every_n.abstraction import Configuration, Local, Shared

P = TypeVar("P", Shared, Local)
Members = tuple[int, ...]
"""Numbers of local states, in order: a multiset."""


class Numbered(Generic[P]):
    """Parts in the order in which they were met."""

    def __init__(self) -> None:
        self.parts: list[P] = []
        self._numbers: dict[P, int] = {}

    def number(self, part: P) -> int:
        """The number of a part, which may be new."""
        n = self._numbers.get(part)
        if n is None:
            n = self._numbers[part] = len(self.parts)
            self.parts.append(part)
        return n


class Parts:
    """All parts of views."""

    def __init__(self) -> None:
        self.shared: Numbered[Shared] = Numbered()
        self.locals: Numbered[Local] = Numbered()

    def configuration(self, shared: int, members: Members) -> Configuration:
        """The configuration of these parts."""
        return Configuration(
            self.shared.parts[shared], tuple(self.locals.parts[m] for m in members)
        )

    def numbers(self, configuration: Configuration) -> tuple[int, Members]:
        """The numbers of a configuration's parts."""
        others = sorted(self.locals.number(one) for one in configuration.locals)
        return self.shared.number(configuration.shared), tuple(others)
