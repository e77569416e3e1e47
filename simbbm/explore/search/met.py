"""What a search keeps: the states that it met, packed, and the moves between them.

A state is a tuple of numbers (`arm64.rows`). It is kept as two bytes a number, or as four once a
number is too large for two. The index of a state is how many were met before it.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator

from simbbm.arm64.rows import State


class Met:
    """The states that were met, in order."""

    def __init__(self, numbers: int) -> None:
        self._format = struct.Struct(f"{numbers}H")
        self._indices: dict[bytes, int] = {}

    def __len__(self) -> int:
        """How many states there are."""
        return len(self._indices)

    def __iter__(self) -> Iterator[State]:
        """The states in order."""
        return map(self._format.unpack, self._indices)

    def number(self, state: State) -> int | None:
        """The index of a state; None if it was not met."""
        try:
            return self._indices.get(self._format.pack(*state))
        except struct.error:
            return None  # It has a number that is larger than any that was kept.

    def number_or_add(self, state: State) -> int:
        """The index of a state; it is added if it was not met."""
        indices = self._indices
        try:
            return indices.setdefault(self._format.pack(*state), len(indices))
        except struct.error:
            self._widen()
            return self.number_or_add(state)

    def _widen(self) -> None:
        wide = struct.Struct(self._format.format.replace("H", "I"))
        unpack = self._format.unpack
        self._indices = {wide.pack(*unpack(packed)): i for packed, i in self._indices.items()}
        self._format = wide

    def packed(self) -> list[bytes]:
        """The states in order, for `unpacked`."""
        return list(self._indices)

    def unpacked(self, packed: bytes) -> State:
        """The state that was packed."""
        return self._format.unpack(packed)


class Edges:
    """Moves to states that were known already, source by source in the order of visits."""

    def __init__(self) -> None:
        self.targets = array("I")
        """The targets of all, to which a source's are appended before it is left."""
        self._sources = array("I")
        self._counts = array("I")

    def leave(self, source: int, count: int) -> None:
        """The last `count` targets are those of this source."""
        if count:
            self._sources.append(source)
            self._counts.append(count)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Source and target of each."""
        at = 0
        for source, count in zip(self._sources, self._counts, strict=True):
            for target in self.targets[at : at + count]:
                yield source, target
            at += count
