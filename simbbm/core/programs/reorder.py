"""Steps in another order: one is done later than its program asks for it, or two change places.

At the step that is to come later the program is run ahead, to the step that comes first instead.
What lies between must give the program no value, or how it goes on would not be known: a program is
what it has observed. The control point then does the other operation, and what was passed over
follows it, one point after another (`Deferred.behind`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simbbm.core.errors import EditError, Where
from simbbm.core.program import Op
from simbbm.core.programs.edits import LEAVES, Later
from simbbm.core.programs.labels import matches

if TYPE_CHECKING:
    from simbbm.core.points import ControlPoint


FAR = 1_000
"""Steps between two that change places."""


class Operation(NamedTuple):
    """One operation of a program, away from its control point."""

    op: Op
    label: str
    where: Where | None


class Deferred(NamedTuple):
    """What a control point does in place of its own operation."""

    first: ControlPoint
    """Where the program asks for the operation that is done here."""
    behind: tuple[Operation, ...]
    """What is done after it, before the program goes on from there."""


def reordered(point: ControlPoint, onward: ControlPoint, edit: Later) -> Deferred | None:
    """Find what a point does instead of its own operation; `onward` is what follows the point.

    None if no such step comes after it: where a program ends, its last step stays where it is.
    EditError if the program needs a value on the way there.
    """
    passed = [_operation(point)]
    while onward.op is not None and onward is not point:
        why = edit.obstacle(onward.op)
        if (not edit.behind or matches(edit.behind, onward.full_label)) and why != LEAVES:
            before = (passed[1:] or [_operation(onward)])[-1] if edit.behind else _operation(onward)
            moved = passed[0]._replace(label=f"{before.label}+{passed[0].op.mnemonic}")
            return Deferred(onward, (*passed[1:], moved))
        if why == LEAVES:
            return None
        if why or len(passed) == FAR:
            why = why or f"there are more than {FAR} steps between them"
            told = f"{edit.step} and {edit.behind} cannot change places"
            raise EditError(f"{point.where}: {told}: {onward.label} is between them, and {why}")
        passed.append(_operation(onward))
        onward = onward.after()
    return None


def _operation(point: ControlPoint) -> Operation:
    assert point.op is not None
    return Operation(point.op, point.label, point.where)
