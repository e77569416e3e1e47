"""A test of either format made ready to run: its machine, and what looks at its ends.

The project's own notation is made by `setup` and `outcome`, herd7's by `herd.machine`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import MemoryPool
from simbbm.litmus.herd.machine import Made as HerdMade
from simbbm.litmus.herd.tree import HerdTest
from simbbm.litmus.layout import Layout
from simbbm.litmus.notation.reader import LitmusTest
from simbbm.litmus.outcome import Observer
from simbbm.litmus.setup import Options, setup
from simbbm.scenario import Setup

AnyTest = LitmusTest | HerdTest


class Observing(Protocol):
    """Looks at the final states of one test."""

    def outcome(self, state: Machine) -> Any:
        """What a final state shows; equal for states that show the same."""

    def counts(self, outcome: Any) -> bool:
        """Whether the test looks at such ends."""

    def reached(self, outcome: Any) -> bool:
        """Whether it is what the verdict is about."""

    def text(self, outcome: Any) -> str:
        """The outcome as the test's format writes it."""


class Made(Protocol):
    """A test with everything that is needed to run it."""

    def setup(self, options: Options) -> Setup:
        """The machine's description."""

    def observer(self, memories: MemoryPool) -> Observing:
        """What looks at final states."""


@dataclass(frozen=True, eq=False)
class OwnMade:
    """A test in the project's own notation."""

    test: LitmusTest

    @cached_property
    def layout(self) -> Layout:
        """Where its names are."""
        return Layout(self.test)

    def setup(self, options: Options) -> Setup:
        """The machine's description."""
        return setup(self.test, self.layout, options)

    def observer(self, memories: MemoryPool) -> Observing:
        """What looks at final states."""
        return Observer(self.test, self.layout, memories)


def made(test: AnyTest) -> Made:
    """Make a test ready to run."""
    return HerdMade(test) if isinstance(test, HerdTest) else OwnMade(test)
