"""When the parts of a run's states change, and to what: all that a page keeps of the states.

A part is unchanged in most steps. Its track is the numbers of the states in which it is another
than before, each with its value; so the value in any state is one search away, forward or back.
Equal values are kept once, whatever they are a value of.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import msgspec


class Tracks:
    """The parts of states 0, 1, ... of a run."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        """Each value once, in the order in which they were met."""
        self.by_part: dict[str, list[int]] = {}
        """For each part: state, number of the value, state, number of the value, ..."""
        self._numbers: dict[bytes, int] = {}
        self._last: dict[str, Any] = {}
        self._states = 0

    def add(self, parts: Mapping[str, Any]) -> None:
        """Take note of the next state; a part that it does not have is None there."""
        gone = dict.fromkeys(self._last.keys() - parts.keys())
        for part, value in (*parts.items(), *sorted(gone.items())):
            last = self._last.get(part)
            if value is last or value == last:
                continue
            self._last[part] = value
            self.by_part.setdefault(part, []).extend((self._states, self.number(value)))
        self._states += 1

    def number(self, value: Any) -> int:
        """The number of a value."""
        text = msgspec.json.encode(value)
        if text not in self._numbers:
            self._numbers[text] = len(self.values)
            self.values.append(value)
        return self._numbers[text]

    def at(self, state: int) -> dict[str, Any]:
        """The parts of one state again, those that are None left out."""
        found = {}
        for part, track in self.by_part.items():
            known = bisect_right(track[::2], state)
            value = self.values[track[2 * known - 1]] if known else None
            if value is not None:
                found[part] = value
        return found
