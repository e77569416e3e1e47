"""A program whose operations are executed one at a time: only the current one is in flight.

Nothing of it is recorded: an access is translated and performed in one step. What hardware may have
translated earlier is among the early results of its MMU, and stores that are not performed yet are
in its store buffer.
"""

from __future__ import annotations

from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.execution.exceptions import check_not_left, take_exception
from simbbm.arm64.execution.flight import FRESH, Source, Window
from simbbm.arm64.execution.instructions import Decoded
from simbbm.arm64.ops import Aborted
from simbbm.arm64.translation.memory import Memory


class InOrder:
    """The source of a program with a window of 1."""

    window: Window = (FRESH,)
    split = False
    keeps_faults = False

    def code(self, state: CpuState, number: int) -> list[Decoded]:  # noqa: ARG002
        """The program's current operation."""
        return [decoded(state.point)] if state.point.op else []

    def after(self, shared: Shared, state: CpuState, window: Window, **changes: Any) -> CpuState:
        """The CPU after its operation, which observed the value in the window."""
        (entry,) = window
        after = shared.cpus.change(state, point=state.point.after(entry.value), **changes)
        check_not_left(after)
        return after

    def synchronised(self, shared: Shared, state: CpuState, i: int, **changes: Any) -> CpuState:  # noqa: ARG002
        """The CPU after an ISB."""
        return self.after(shared, state, self.window, **changes)

    def continued(self, shared: Shared, returned: Effect) -> Effect:  # noqa: ARG002
        """Continue where the exception was taken."""
        return returned

    def takes_exception(self, i: int) -> bool:  # noqa: ARG002
        """Whether it may take an exception."""
        return True

    def exception(
        self,
        shared: Shared,
        state: CpuState,
        memory: Memory,
        number: int,
        i: int,  # noqa: ARG002
        aborted: Aborted,
        *,
        resume: bool,
    ) -> Effect:
        """Take the exception."""
        return take_exception(shared, state, memory, number, aborted, resume=resume)


IN_ORDER = InOrder()


def source_of(state: CpuState) -> Source:
    """The source of a CPU's instructions."""
    return state.flight or IN_ORDER
