"""The transition system that a search explores: the machine's, with the reductions that apply.

The reductions are `arm64.symmetry` and `explore.search.persistent_sets`; this file decides whether
they are sound here and asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.symmetry import Symmetry
from simbbm.core.system import Move
from simbbm.explore.search.persistent_sets import PersistentSets


class ReducedSystem:
    """A machine's transition system under the reductions that apply."""

    def __init__(self, system: Arm64, *, symmetry: bool = True, ample: bool = True) -> None:
        self.system = system
        self.symmetry = Symmetry(system, wanted=symmetry and system.judged.uniform)
        self.ample = (
            PersistentSets(system, self.symmetry) if ample and _can_reduce(system) else None
        )

    @property
    def reductions(self) -> tuple[str, ...]:
        """Names of the reductions that apply."""
        names = {"symmetry": self.symmetry.classes, "ample": self.ample}
        return tuple(name for name, applies in names.items() if applies)

    def initial(self) -> Machine:
        """The state in which every run starts."""
        return self.symmetry.canonical(self.system.initial())

    def moves(self, state: Machine) -> Sequence[tuple[int, Move]]:
        """The moves to take in this state, each with its index among all its moves."""
        moves = self.system.moves(state)
        cpu = self.ample.cpu(state) if self.ample and len(moves) > 1 else None
        if cpu is None:
            return tuple(enumerate(moves))
        return [(k, move) for k, move in enumerate(moves) if move.cpu == cpu]

    def after(self, state: Machine, move: Move) -> Machine:
        """Apply the move; return the representative of the successor."""
        return self.symmetry.canonical(self.system.apply(state, move))

    def steps(self, state: Machine) -> Iterator[tuple[Move, Machine, tuple[int, ...] | None]]:
        """All moves of a state, with the representatives of their successors.

        And the permutation that leads there: by CPU number its place; None: no CPU is moved.
        """
        for move in self.system.moves(state):
            after = self.system.apply(state, move)
            numbers = self.symmetry.arrangement(after)
            if numbers == sorted(numbers):
                yield move, after, None
                continue
            places = tuple(numbers.index(cpu) for cpu in range(len(numbers)))
            yield move, self.symmetry.arranged(after, numbers), places

    def fingerprint(self, state: Machine) -> bytes:
        """128 bits that identify a state by content: its digest, which covers the whole state."""
        return bytes.fromhex(self.system.digest(state))


def _can_reduce(system: Arm64) -> bool:
    """Whether persistent sets are known to be sound for this machine (see `persistent_sets`)."""
    hardware = system.spec.hardware
    programs = all(cpu.listing is None for cpu in system.spec.cpus)
    in_order = hardware.window == 1
    prompt = hardware.closure or not (hardware.speculation or hardware.evictions)
    return system.judged.uniform and programs and in_order and prompt
