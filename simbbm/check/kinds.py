"""Properties come in five kinds, which differ in what is judged.

| kind | declared as | judged on | fails where |
|---|---|---|---|
| always | `Property(name, check=...)` | every state | the predicate finds a problem in a state |
| finally | `Property(name, final=...)` | states in which all programs have finished | the predicate
finds a problem there |
| step | `Property(name, step=...)` | every move, by what it says of itself | a bad move is taken |
| eventually | `terminates` | every run that is fair to all agents | a run never ends |
| sometimes | `Setup.landmarks` | every state of a search | nowhere: states are counted |

*Always* is the usual kind: what may go wrong is seen in a state, whatever happens next. *Step* is
for what only the move shows: a state does not tell by which translation a load got its value.
*Eventually* has one member. *Sometimes* says whether a proof has content: one in which no CPU is
ever parked proves little.

Every run reports some problems, declared or not: a program that panics, sleeps in atomic context or
takes an exception that nobody handles (steps; the executor itself says so, `Effect.problem`), and a
program that does not finish.

They are judged by `arm64/machine.py:Arm64.problem` (always), `Arm64.final_problem` (finally),
`Arm64.apply` (step), `explore/search/fairness.py:rounds` (eventually), and counted by
`explore/search/breadth_first.py:Search` (sometimes).
"""

from __future__ import annotations

from typing import NamedTuple

from simbbm.arm64.state import Check, StepCheck
from simbbm.check.catalogue import Kind


class Property(NamedTuple):
    """A property that a scenario promises: its name, and the predicate that makes it of a kind."""

    name: str
    check: Check | None = None
    """Always: judges every state."""
    final: Check | None = None
    """Finally: judges the states in which every program has finished."""
    step: StepCheck | None = None
    """Step: judges every move that is taken."""
    uniform: bool = False
    """It judges all CPUs alike: `check` one CPU at a time, by what it holds and what its walks
    reach, `step` a move by what it does, not by the number of the CPU that takes it.

    Searches reduce the states of a scenario only if all its properties say so."""
    monotone: bool = False
    """If `check` fails for what a CPU may hold, it fails if that may hold more, and it looks at
    tables through what is held and walked alone. `step` judges accesses alone, by what they get.

    Where all say so, one order of independent stores is searched, and of TLBIs
    (`explore/search/reductions/drains.py`, `invalidations.py`)."""

    @property
    def kind(self) -> Kind:
        """Its kind, from the predicate that it has."""
        given = {Kind.ALWAYS: self.check, Kind.FINALLY: self.final, Kind.STEP: self.step}
        return next((kind for kind, predicate in given.items() if predicate), Kind.EVENTUALLY)
