"""The transition system that a search explores: the machine's, with the reductions that apply.

It works on rows (`arm64.rows`): a state is a number. The reductions are `symmetry` and
`persistent_sets`; this file decides whether they are sound here and asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.arm64.machine import Arm64
from simbbm.arm64.rows import Row, Rows, State
from simbbm.arm64.state import Machine
from simbbm.core.system import Move
from simbbm.explore.search.reductions.persistent_sets import Choice, PersistentSets
from simbbm.explore.search.reductions.symmetry import Symmetry


class ReducedSystem:
    """A machine's transition system under the reductions that apply."""

    def __init__(self, system: Arm64, *, symmetry: bool = True, ample: bool = True) -> None:
        self.system = system
        system.keeps_values = True  # States that are equal have equal numbers.
        self.rows = Rows(system)
        self.symmetry = Symmetry(self.rows, wanted=symmetry and system.judged.uniform)
        self.ample = (
            PersistentSets(self.rows, self.symmetry) if ample and _can_reduce(system) else None
        )

    @property
    def reductions(self) -> tuple[str, ...]:
        """Names of the reductions that apply."""
        names = {"symmetry": self.symmetry.classes, "ample": self.ample}
        return tuple(name for name, applies in names.items() if applies)

    def initial(self) -> State:
        """The state in which every run starts."""
        return self.symmetry.canonical(self.rows.state(self.system.initial()))

    def chosen(self, state: State, rows: list[Row]) -> Choice | None:
        """The moves that are enough here; None if all have to be taken."""
        if self.ample is None or sum([len(row.steps) for row in rows]) <= 1:
            return None
        return self.ample.chosen(state)

    def successors(self, state: State, rows: list[Row]) -> Iterator[tuple[int, State]]:
        """The representatives of the states that follow; `rows` are those of the state.

        Each with the index of its move among all moves of the state.
        """
        chosen, after = self.chosen(state, rows), self.rows.after
        if chosen is None:
            found = [
                state + step[0] if step[1] is None else after(state, step)
                for row in rows
                for step in row.steps
            ]
            if self.symmetry.classes:
                found = list(map(self.symmetry.canonical, found))
            return enumerate(found)
        first, steps = sum([len(row.steps) for row in rows[: chosen.cpu]]), rows[chosen.cpu].steps
        canonical = self.symmetry.canonical
        return iter([(first + k, canonical(after(state, steps[k]))) for k in chosen.moves])

    def follow(self, state: State, k: int) -> State:
        """The representative of the state after the k-th of all moves."""
        for row in self.rows.rows(state):
            if k < len(row.steps):
                return self.symmetry.canonical(self.rows.after(state, row.steps[k]))
            k -= len(row.steps)
        raise IndexError(k)

    def steps(self, state: State) -> Iterator[tuple[Move, State, tuple[int, ...] | None]]:
        """All moves of a state, with the representatives of their successors.

        And the permutation that leads there: by CPU number its place; None: no CPU is moved.
        """
        for row in self.rows.rows(state):
            for move, step in zip(row.moves, row.steps, strict=True):
                after = self.rows.after(state, step)
                numbers = self.symmetry.arrangement(after)
                if numbers == tuple(sorted(numbers)):
                    yield move, after, None
                    continue
                places = tuple(numbers.index(i) for i in range(len(numbers)))
                yield move, self.symmetry.arranged(after, numbers), places

    def canonical(self, machine: Machine) -> State:
        """The representative of a state of the machine."""
        return self.symmetry.canonical(self.rows.state(machine))


def _can_reduce(system: Arm64) -> bool:
    """Whether persistent sets are known to be sound for this machine (see `persistent_sets`)."""
    hardware = system.spec.hardware
    programs = all(cpu.listing is None for cpu in system.spec.cpus)
    in_order = hardware.window == 1
    prompt = hardware.closure or not (hardware.speculation or hardware.evictions)
    return system.judged.uniform and programs and in_order and prompt
