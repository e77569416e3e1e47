"""Loops that do nothing but load one word until it changes: a wait, as in programs (`Cpu.wait`).

READ_ONCE() in a loop is a step that leads back to itself for ever, if nobody else gets his turn. A
load of a shared variable that leads back to the very same registers and memory, for one of the
values that registers hold now, is such a loop: the value of its last turn is in one of them. It
becomes a guard, which is passed once a value leads anywhere else. Nothing else happens in a turn of
the loop, so that what is left out are turns that change nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from simbbm.binary.a64.bits import mask
from simbbm.binary.a64.operations import Access
from simbbm.binary.code.accesses import OWN, Asked
from simbbm.binary.code.local import Local
from simbbm.binary.code.running import Running
from simbbm.binary.process import Finding
from simbbm.core.points import ControlPoint
from simbbm.core.program import Op

GUARDS = {"ldr": "wait", "ldar": "wait.acquire"}


class LeavesLoop:
    """Whether a value leads from a point to another one."""

    __name__ = "another_value"

    def __init__(self, point: ControlPoint) -> None:
        self.point = point

    def __call__(self, value: int) -> bool:
        """Whether the loop is left."""
        return self.point.after(value) is not self.point


def spins(execute: Callable[[Local], Running], local: Local, asked: Asked) -> bool:
    """Whether an operation is a load that leads back to itself."""
    if asked.why != OWN or asked.level is not None or asked.op.mnemonic not in GUARDS:
        return False
    assert asked.stop is not None
    access = asked.stop.operation
    assert isinstance(access, Access)
    return any(
        _leads_back(execute(local), local, asked, value)
        for value in dict.fromkeys(x & mask(8 * access.size) for x in local.x)
    )


def _leads_back(running: Running, local: Local, asked: Asked, value: int) -> bool:
    running.observe(asked, value)
    try:
        following = running.run()
    except Finding:  # A value that the word never has.
        return False
    return following is not None and following.op == asked.op and running.local() == local


def guard(point: ControlPoint, op: Op) -> Op:
    """The operation of a point that spins."""
    return Op(GUARDS[op.mnemonic], (op.args[0], LeavesLoop(point), ()))
