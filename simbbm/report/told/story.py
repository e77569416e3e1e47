"""What a reader is told of a recorded run, ready for any form of report.

It is data without states, so that it can be kept in a file: `telling` makes it, with a machine on
which the run is replayed, and `remembered` keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simbbm.core.system import Problem
from simbbm.core.trace import TraceEvent
from simbbm.explore.witness.record import Witness


class Story(NamedTuple):
    """What happened, and why it is wrong."""

    witness: Witness
    cpus: tuple[str, ...]
    """Each CPU's name, with those of its features that matter here."""
    events: tuple[TraceEvent, ...]
    telling: frozenset[int]
    """Steps without which one would not understand the end."""
    problem: Problem | None
    meaning: str
    """What the broken property says."""
    sources: Mapping[int, tuple[int, ...]]
    """For a step that reads, the write that it reads from; for a drain, the store instruction."""
    because: tuple[str, ...]
    """Where the conflicting entries came from, or those that keep a livelock going."""
    digest: str
    """Of the whole trace, which a token does not keep."""
    kernel: Mapping[str, str]
    """The kernel's `file:function` for which a routine stands, by the routine's name."""

    def kernel_has(self, routine: str) -> str:
        """Where the kernel has a routine: file, and function where its name is another one."""
        file, _, function = self.kernel.get(routine, "").partition(":")
        return file if function in ("", routine) else f"{file}:{function}"

    @property
    def message(self) -> str:
        """What went wrong; why there is no verdict; may be empty."""
        return self.problem.message if self.problem else self.witness.message
