"""Shared and local states by number: equal ones are one."""

from __future__ import annotations

from typing import Generic, TypeVar

from simbbm.explore.every_n.abstraction import Configuration, Local, Shared

P = TypeVar("P", Shared, Local)
Members = tuple[int, ...]
"""Numbers of local states, in order: a multiset."""


Origin = tuple[int, ...]
"""A shared state and members: the configuration from which a step leads to a part."""


class Numbered(Generic[P]):
    """Parts in the order in which they were met."""

    def __init__(self) -> None:
        self.parts: list[P] = []
        self.origins: list[Origin] = []
        self._numbers: dict[P, int] = {}

    def number(self, part: P, origin: Origin) -> int:
        """The number of a part, which may be new."""
        n = self._numbers.get(part)
        if n is None:
            n = self._numbers[part] = len(self.parts)
            self.parts.append(part)
            self.origins.append(origin)
        return n


class Parts:
    """All parts of views, in the order in which they were met."""

    def __init__(self) -> None:
        self._shared: Numbered[Shared] = Numbered()
        self._locals: Numbered[Local] = Numbered()
        self.origin: Origin = ()
        """The configuration whose steps are taken; empty: the initial state."""
        self.met: list[tuple[bool, int]] = []
        """Whether it is a shared state, and its number."""
        self._known = {True: 0, False: 0}

    @property
    def shared(self) -> list[Shared]:
        """All shared states."""
        return self._shared.parts

    @property
    def locals(self) -> list[Local]:
        """All local states."""
        return self._locals.parts

    def origins(self, *, shared: bool) -> list[Origin]:
        """Where the shared or local states come from."""
        return self._shared.origins if shared else self._locals.origins

    def shared_number(self, part: Shared) -> int:
        """The number of a shared state, which may be new."""
        n = self._shared.number(part, self.origin)
        self._note(n, len(self._shared.parts), shared=True)
        return n

    def local_number(self, part: Local) -> int:
        """The number of a local state, which may be new."""
        n = self._locals.number(part, self.origin)
        self._note(n, len(self._locals.parts), shared=False)
        return n

    def numbers(self, configuration: Configuration) -> tuple[int, Members]:
        """The numbers of a configuration's parts."""
        others = sorted(map(self.local_number, configuration.locals))
        return self.shared_number(configuration.shared), tuple(others)

    def _note(self, n: int, count: int, *, shared: bool) -> None:
        known = self._known[shared]
        if n == known and count > known:
            self.met.append((shared, n))
            self._known[shared] = count
