"""Properties of authors that judge one CPU at a time, and so hold for every number of CPUs.

A predicate over states is shown all CPUs, so it can count them: "there are four" fails on four CPUs
and on no fewer. What `each_cpu` makes is shown one CPU, what it may hold, and the tables. So what
it says of a CPU is the same on every machine that has such a CPU, and a proof for every number of
CPUs (`simbbm guide every_n`) can have it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.geometry import Geometry
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Tables
from simbbm.arm64.translation.view import View
from simbbm.check.kinds import Property
from simbbm.core.errors import ScenarioError
from simbbm.core.programs.blame import called
from simbbm.core.programs.symbols import RUNNING
from simbbm.core.system import Problem

SOMEBODY = -1
"""In place of the numbers of those whose TLBIs are pending: a CPU is not told any number."""


class OneCpu(NamedTuple):
    """What a predicate of one CPU is shown."""

    pe: CpuState
    """The CPU. Whose TLBIs are pending on it is not told."""
    view: View
    """The entries that it may hold, and what its walks reach."""
    tables: Tables
    """All tables, as they are now."""
    geometry: Geometry


Judge = Callable[..., str | None]
"""What is wrong with a CPU, in words that go on from its name ("holds two ..."), or None."""


@dataclass(frozen=True)
class EachCpu:
    """A predicate over states that asks about one CPU after another."""

    name: str
    judge: Judge
    args: tuple[Any, ...]

    def __call__(self, shared: Shared, machine: Machine) -> Problem | None:
        """What is wrong with the first CPU that is not all right."""
        for number, pe in enumerate(machine.cpus):
            told = self._told(shared, machine, pe)
            if told is not None and not isinstance(told, str):
                what = f"property {self.name} returned a {type(told).__name__}"
                raise ScenarioError(what, "it returns a text, or None where all is well")
            if told:
                return Problem(self.name, f"cpu{number} {told}", number)
        return None

    def _told(self, shared: Shared, machine: Machine, pe: CpuState) -> Any:
        tables = machine.memory.tables
        pending = sorted(p._replace(issuer=SOMEBODY) for p in pe.pending_tlbis)
        shown = shared.cpus.change(pe, pending_tlbis=tuple(pending)) if pending else pe
        one = OneCpu(shown, shared.view(pe, machine.memory), tables, shared.geometry)
        with RUNNING:  # an author's code: it may not look into symbols
            return called(f"property {self.name}", self.judge, one, *self.args)


def each_cpu(name: str, judge: Judge, *args: Any, at_end: bool = False) -> Property:
    """A property of this `name` that judges one CPU at a time.

    `judge(one, *args)` is shown a `OneCpu`, with the `args` that are given here. It returns what is
    wrong, as text, or None. It is asked in every state or, `at_end`, where all programs have
    finished. It looks at nothing but its arguments and constants, as programs do.
    """
    predicate = EachCpu(name, judge, args)
    if at_end:
        return Property(name, final=predicate, uniform=True)
    return Property(name, predicate, uniform=True)
