"""The states that a certificate is about: one CPU with its history, and what all CPUs share."""

from __future__ import annotations

from typing import Any, NamedTuple

from simbbm.arm64.cpu import CpuState
from simbbm.arm64.translation.memory import Memory
from simbbm.core.programs.symbols import Symbol
from simbbm.core.values import digest
from simbbm.explore.certificate.counted import Count, History

BOOT, OTHER = 0, 1
"""Numbers of the boot CPU, and of the CPU as which a local state is kept."""


class Local(NamedTuple):
    """One CPU with its history."""

    cpu: CpuState
    history: History
    armed: str = ""
    fresh: tuple[tuple[int, str], ...] = ()

    def digest(self) -> str:
        """Identifies it by content."""
        return digest(self.cpu.content(), *self[1:])


class Shared(NamedTuple):
    """What all CPUs share, and the boot CPU."""

    memory: Memory
    boot: Local
    counts: tuple[Count, ...]

    def digest(self) -> str:
        """Identifies it by content."""
        return digest(self.memory.content(), self.boot.digest(), self.counts)


def symbolic(value: Any) -> bool:
    """Whether there is a symbol in a value."""
    if isinstance(value, Symbol):
        return True
    if isinstance(value, tuple):
        return any(map(symbolic, value))
    return any(symbolic(getattr(value, n)) for n in getattr(value, "__dataclass_fields__", ()))
