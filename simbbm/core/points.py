"""Control points: what a CPU executes, as a machine sees it.

A machine asks a control point for its operation, and for the point that follows once that operation
has observed a value; what identifies it is a digest. Two kinds of programs answer: Python programs
(`automaton.py:Automaton`), whose points are what frames have observed, and a kernel's machine code
(`binary/code/machine_code.py:MachineCode`), whose points are registers and private memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count
from types import CodeType, FunctionType
from typing import Any, TypeVar

from simbbm.core.errors import Where
from simbbm.core.program import Op
from simbbm.core.programs.edits import Edits
from simbbm.core.programs.labels import matches
from simbbm.core.values import key

E = TypeVar("E")


class ControlPoint:
    """A place in a program: compare by identity, order and store by `digest`.

    `op` is what the program asks for here; None where it has finished, with `value` its result.
    """

    __slots__ = (
        "_digest",
        "_latest",
        "blocked",
        "computed",
        "decoded",
        "full_label",
        "label",
        "op",
        "path",
        "serial",
        "successors",
        "value",
        "where",
    )

    def __init__(self, path: str, serial: int) -> None:
        self.path = path
        self.serial = serial
        """In order of discovery: a program that goes round passes from a higher to a lower one."""
        self.op: Op | None = None
        self.where: Where | None = None
        self.label = ""
        self.full_label = ""
        self.value: Any = None
        self.computed = 0
        """Of machine code: the instructions that were executed on the way to the operation."""
        self.successors: dict[Any, ControlPoint] = {}
        self.blocked: set[Any] = set()
        """Observations after which the program inspects an unknown value (`unknown`)."""
        self.decoded: Any = None
        """What the machine makes of the operation, once it was asked."""
        self._digest: str | None = None
        self._latest: tuple[Any, ControlPoint] | None = None
        """The value that was asked for last, and the control point that follows."""

    @property
    def finished(self) -> bool:
        """Whether the program has returned."""
        return self.op is None

    @property
    def digest(self) -> str:
        """Identifies the control point by content, on every machine."""
        if self._digest is None:
            self._digest = self._new_digest()
        return self._digest

    def after(self, value: Any = None) -> ControlPoint:
        """Return the control point that follows when the operation here observed `value`."""
        if self._latest and self._latest[0] is value:
            return self._latest[1]
        memo = self.successors.get(k := key(value))
        if memo is None:
            memo = self.successors[k] = self._follow(value)
        self._latest = value, memo
        return memo

    def observed(self, after: ControlPoint) -> Iterator[Any]:
        """The values after which the program goes on at `after`, as far as it tells them apart."""
        return (value for value, point in self._seen() if point is after)

    def _seen(self) -> Iterator[tuple[Any, ControlPoint]]:
        """What was observed here so far, and what follows."""
        raise NotImplementedError

    def _follow(self, value: Any) -> ControlPoint:
        """The point that follows, which is remembered."""
        raise NotImplementedError

    def _new_digest(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.label or self.path + ' finished'}>"


class Programs:
    """All control points of a machine's programs under one set of edits."""

    identity = ""
    """What identifies them where they are not the scenario's own: a kernel image."""
    has_registers = False
    """Whether a step that is left out leaves in its register what was there before, so that the
    program goes on with a value which it never loaded."""

    def __init__(self, edits: Edits) -> None:
        self.edits = edits
        self._serial = count()
        self.used_edits: set[str] = set()
        self.labels: dict[str, Where] = {}
        self.ops: dict[str, Op] = {}
        """The operation at each label; of several operands, the first that were seen."""
        self.sites: dict[str, tuple[Where | None, ...]] = {}
        """The lines of a label's step and of the calls on the way to it, the innermost first."""

        self.awaited: dict[CodeType, set[int]] = {}
        """Of Python functions, the lines at which they were seen to await something."""

    @property
    def functions(self) -> Collection[FunctionType]:
        """The Python functions that programs can come to."""
        return ()

    def start(self, function: Any, *args: Any) -> ControlPoint:
        """Return the first control point of a program."""
        raise NotImplementedError

    def recheck(self) -> None:
        """Run what is new once more, in another order; raise ScenarioError if anything differs."""
        raise NotImplementedError

    def following(self, pattern: str) -> list[Op]:
        """The operations that were seen directly after steps that match this pattern."""
        raise NotImplementedError

    def _dropped(self, label: str) -> bool:
        for pattern in self.edits.drop:
            if matches(pattern, label):
                self.used_edits.add(pattern)
                return True
        return False

    def _edited_step(self, steps: tuple[tuple[str, E], ...], label: str) -> E | None:
        """The edit of the step with this label, if there is one."""
        for pattern, given in steps:
            if matches(pattern, label):
                self.used_edits.add(pattern)
                return given
        return None
