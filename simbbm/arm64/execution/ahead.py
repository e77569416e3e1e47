"""A program with several operations in flight, fetched as far as its known values allow.

A load returns a token to the program. The program can be run ahead until it inspects a token: then
nothing more is fetched before the value is known. What it asks for is a function of what it has
observed, so only the oldest operation's control point and the state of each operation are recorded;
the other operations are found by following the program from there. When a value becomes known, the
same operations are found, with the value in place of the token.

Stores leave for the store buffer when they are translated and everything before them is done, so
that they can be pending beyond the window.

Simplified: no branch is predicted, so that a load behind a branch on an unknown value waits for it
(fewer behaviours; its translation need not, that is an early result of the MMU). Exceptions are
taken when the instruction is the oldest (fewer behaviours).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState, Effect
from simbbm.arm64.execution.decoding import decoded
from simbbm.arm64.execution.exceptions import check_not_left, take_exception
from simbbm.arm64.execution.flight import (
    FRESH,
    InFlight,
    Window,
    behind_dmb,
    restarted,
    shifted,
    with_entry,
)
from simbbm.arm64.execution.instructions import Decoded
from simbbm.arm64.ops import Aborted
from simbbm.arm64.translation.memory import Memory
from simbbm.core.points import ControlPoint
from simbbm.core.unknown import NeedsValueError, token
from simbbm.core.values import key


class Ahead(NamedTuple):
    """What is in flight of a program, the operation at its control point first."""

    window: Window

    @property
    def split(self) -> bool:
        """Accesses are translated first, and performed later."""
        return True

    @property
    def keeps_faults(self) -> bool:
        """Its exceptions are taken when the instruction is the oldest (fewer behaviours)."""
        return False

    @property
    def finished(self) -> bool:
        """Whether the program is done."""
        return not self.window

    def content(self) -> tuple[Any, ...]:
        """What identifies it."""
        return tuple(self)

    def code(self, state: CpuState, number: int) -> list[Decoded]:  # noqa: ARG002
        """What is in flight, decoded as far as values are known."""
        code: list[Decoded] = []
        for point in self.points(state.point):
            instruction = decoded(point)
            again = sum(instruction.label == other.label.partition("@")[0] for other in code)
            if again:  # Two turns of a loop are in flight: labels of moves are unique.
                instruction = instruction._replace(label=f"{instruction.label}@{again + 1}")
            code.append(instruction)
        return code

    def points(self, point: ControlPoint) -> Iterator[ControlPoint]:
        """The control point of each operation in flight."""
        following: ControlPoint | None = point
        for i, entry in enumerate(self.window):
            assert following is not None
            yield following
            if i + 1 < len(self.window):
                following = _next(following, i, entry)

    def after(self, shared: Shared, state: CpuState, window: Window, **changes: Any) -> CpuState:
        """The CPU with this window: finished operations are retired, and more are fetched."""
        state = shared.cpus.change(state, **changes)
        while True:
            window = (*window, *_fetched(shared, state.point, window))
            left = _left(shared, state, window[0]) if window else None
            if left is None:
                break
            if len(left.buffer.stores) > len(state.buffer.stores):
                store = left.buffer.stores[-1]
                written = range(store.address, store.address + len(store.words))
                window = restarted(window, 0, written)
            state, window = left, shifted(window)
        check_not_left(state)
        return shared.cpus.change(state, flight=Ahead(window))

    def synchronised(self, shared: Shared, state: CpuState, i: int, **changes: Any) -> CpuState:
        """The CPU after an ISB."""
        done = self.window[i]._replace(done=True)
        return self.after(shared, state, with_entry(self.window, i, done), **changes)

    def takes_exception(self, i: int) -> bool:
        """Whether the i-th operation is the oldest."""
        return i == 0

    def exception(
        self,
        shared: Shared,
        state: CpuState,
        memory: Memory,
        number: int,
        i: int,
        aborted: Aborted,
        *,
        resume: bool,
    ) -> Effect:
        """Take the exception; what is younger never happened."""
        assert i == 0
        return _anew(shared, take_exception(shared, state, memory, number, aborted, resume=resume))

    def with_window(self, window: Window) -> Ahead:
        """The same flight with another window."""
        return Ahead(window)

    def continued(self, shared: Shared, returned: Effect) -> Effect:
        """Go on where an exception was taken; nothing is in flight yet."""
        return _anew(shared, returned)


def _anew(shared: Shared, effect: Effect) -> Effect:
    """The same effect, with the program's operations fetched anew."""
    return effect._replace(after=started(shared, effect.after))


def started(shared: Shared, state: CpuState) -> CpuState:
    """The CPU with the first operations of its program fetched."""
    return Ahead(()).after(shared, state, ())


def _left(shared: Shared, state: CpuState, oldest: InFlight) -> CpuState | None:
    """The CPU after its oldest operation is retired; None if it cannot be."""
    if oldest.update is not None:
        return None
    instruction = decoded(state.point)
    rule = instruction.rule
    changes: dict[str, Any] = {}
    if not oldest.done:
        physical = instruction.physical and not oldest.translated
        word = instruction.address if physical else oldest.word
        if rule.does == "store" and word is not None and shared.hardware.late_stores:
            assert instruction.operands is not None
            changes["buffer"] = state.buffer.push(
                word, instruction.operands, oldest.entry, release=rule.release
            )
        elif rule.does == "dmb":
            changes = behind_dmb(shared, state, instruction.option)
        elif not rule.silent:
            return None
    return shared.cpus.change(
        state, point=state.point.after(oldest.value if rule.observes else None), **changes
    )


def _fetched(shared: Shared, point: ControlPoint, window: Window) -> Window:
    """What can be fetched behind a window whose oldest operation is at this control point."""
    fetched: list[InFlight] = []
    following: ControlPoint | None = point
    for i in range(shared.hardware.window):
        if following is None or following.op is None:
            break
        entry = window[i] if i < len(window) else FRESH
        if i >= len(window):
            fetched.append(entry)
        instruction = decoded(following)
        ignored = instruction.mnemonic == "isb" and shared.ablated("isb")
        if instruction.rule.stops and not entry.done and not ignored:
            break
        following = _next(following, i, entry)
    return tuple(fetched)


def _next(point: ControlPoint, i: int, entry: InFlight) -> ControlPoint | None:
    """The control point behind the i-th operation in flight; None if it needs a value first."""
    value = entry.value
    if not entry.done:
        value = token(i) if decoded(point).rule.observes else None
    if (k := key(value)) in point.blocked:
        return None
    try:
        return point.after(value)
    except NeedsValueError:
        point.blocked.add(k)
        return None
