"""In how many states of a search each landmark holds.

A landmark that says something of the tables and of CPUs one by one (`arm64.state.AllButOne`) is
asked of each value once; any other of every state.
"""

from __future__ import annotations

from collections import Counter

from simbbm.arm64.rows import FIELD, Memo, Rows, State
from simbbm.arm64.state import AllButOne, Landmark


class Landmarks:
    """Counts the states in which each of a machine's landmarks holds."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.counts = Counter[str]()
        self._any: list[tuple[str, Landmark]] = []
        self._by_parts: list[tuple[str, Memo[int, bool], Memo[int, bool]]] = []
        """Those that are asked of values, by the numbers of a memory and of a CPU's value."""
        for name, landmark in rows.system.landmarks.items():
            if isinstance(landmark, AllButOne):
                self._by_parts.append((name, *self._parts(landmark)))
            else:
                self._any.append((name, landmark))

    def _parts(self, landmark: AllButOne) -> tuple[Memo[int, bool], Memo[int, bool]]:
        memories, cpus = self.rows.memories.parts, self.rows.cpus.parts
        return (
            Memo(lambda number: landmark.tables(memories[number].tables)),
            Memo(lambda number: landmark.cpu(cpus[number])),
        )

    def count(self, state: State) -> None:
        """Count a state."""
        for name, tables, cpu in self._by_parts:
            holds = tables[state >> self.rows.memory_at & FIELD]
            if holds:
                places = self.rows.places
                holds = sum([cpu[state >> place & FIELD] for place in places]) == len(places) - 1
            self.counts[name] += holds
        if self._any:
            machine = self.rows.machine(state)
            for name, landmark in self._any:
                self.counts[name] += landmark(machine)
