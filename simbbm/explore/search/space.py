"""The states that a search walks: a machine's, reduced as far as it is safe and wanted.

The two reductions are each in a file of their own (`arm64.symmetry`, `explore.search.ample`). Here
it is decided whether they apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simbbm.arm64.machine import Arm64
from simbbm.arm64.state import Machine
from simbbm.arm64.symmetry import Symmetry
from simbbm.core.system import Move
from simbbm.explore.search.ample import Ample


class Space:
    """A machine's states up to the reductions."""

    def __init__(self, machine: Arm64, *, symmetry: bool = True, ample: bool = True) -> None:
        self.machine = machine
        self.symmetry = Symmetry(machine, wanted=symmetry and machine.judged.uniform)
        self.ample = Ample(machine, self.symmetry) if ample and _can_reduce(machine) else None

    @property
    def reductions(self) -> tuple[str, ...]:
        """Names of those that are in force."""
        names = {"symmetry": self.symmetry.classes, "ample": self.ample}
        return tuple(name for name, applies in names.items() if applies)

    def initial(self) -> Machine:
        """The state in which every run starts."""
        return self.symmetry.canonical(self.machine.initial())

    def moves(self, state: Machine) -> Sequence[tuple[int, Move]]:
        """The moves to take here, each with its index among all moves of the state."""
        moves = self.machine.moves(state)
        cpu = self.ample.cpu(state) if self.ample and len(moves) > 1 else None
        if cpu is None:
            return tuple(enumerate(moves))
        return [(k, move) for k, move in enumerate(moves) if move.cpu == cpu]

    def after(self, state: Machine, move: Move) -> Machine:
        """The representative of what is then."""
        return self.symmetry.canonical(self.machine.apply(state, move))

    def steps(self, state: Machine) -> Iterator[tuple[Move, Machine, tuple[int, ...] | None]]:
        """All moves of a state, what follows each, and by CPU its place in that; None: its own."""
        for move in self.machine.moves(state):
            after = self.machine.apply(state, move)
            numbers = self.symmetry.arrangement(after)
            if numbers == sorted(numbers):
                yield move, after, None
                continue
            places = tuple(numbers.index(cpu) for cpu in range(len(numbers)))
            yield move, self.symmetry.arranged(after, numbers), places

    def fingerprint(self, state: Machine) -> bytes:
        """128 bits that identify a state by content: its digest, so nothing can be missing."""
        return bytes.fromhex(self.machine.digest(state))


def _can_reduce(machine: Arm64) -> bool:
    """Whether persistent sets are known to be sound for this machine (see `ample`)."""
    hardware = machine.spec.hardware
    programs = all(cpu.listing is None for cpu in machine.spec.cpus)
    in_order = hardware.window == 1
    prompt = hardware.closure or not (hardware.speculation or hardware.evictions)
    return machine.judged.uniform and programs and in_order and prompt
