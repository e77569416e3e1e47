"""What the model's CPUs ask for, in one run: the boot CPU waits once, then the secondary parks.

It is the schedule that an image's CPUs meet when they are executed alone (`of_image`): the boot CPU
finds that a secondary is missing, goes to sleep and is woken; the secondary finds itself released
when it wakes up. The machine does everything at once, so that nothing but programs takes steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.registers import Tcr, Ttbr
from simbbm.core.graph import Node
from simbbm.core.points import ControlPoint
from simbbm.core.system import STEP
from simbbm.explore.beside.operations import (
    FEWER_BITS,
    FLAG,
    MORE_BITS,
    SAME_SIZE,
    STACK,
    TABLES,
    Step,
    folded,
)
from simbbm.explore.runs.play import play
from simbbm.model import Model

FUNCTION = "linear_map_split_to_ptes"
BOOT, SECONDARY = 0, 1
LOCAL = ("mrs", "forget_events")
"""What concerns the CPU alone; the second is a step of the model, and of no machine."""
TTBR_NAMES = {"pgd": "swapper_pg_dir"}


def parameters(page_size: int, *, idmap_has_other_bits: bool) -> dict[str, str | int]:
    """Those of `linear_map_split::good` that make the model a machine like the image's."""
    return {
        "cpus": 2,
        "layout": "pmd",
        "geometry": f"{page_size >> 10}k",
        "hardware": "eager",
        "image": "high" if idmap_has_other_bits else "low",
    }


def steps_of_model(model: Model) -> tuple[list[Step], list[Step]]:
    """The steps of the boot CPU and of the secondary within FUNCTION."""
    run = play(model, _Schedule())
    found: tuple[list[Step], list[Step]] = ([], [])
    for step in run.played():
        move = step.move
        point = step.before.state.cpus[move.cpu].point if move.kind == STEP else None
        if point is not None and f"/{FUNCTION}" in point.path:
            found[move.cpu].extend(_step(model.system.shared, point))
    return list(folded(found[BOOT])), list(folded(found[SECONDARY]))


class _Schedule:
    """The boot CPU until it wakes up, the secondary until it sleeps, then one after the other."""

    def __init__(self) -> None:
        self._stage = 0

    def choose(self, node: Node[Any]) -> int:
        """The first move of the CPU whose turn it is; where it has none, of another one."""
        boot, secondary = (node.state.cpus[n].point for n in (BOOT, SECONDARY))
        if self._stage == 0 and _is_at(boot, "ldxr"):
            self._stage = 1
        if self._stage == 1 and _is_at(secondary, "sevl"):
            self._stage = 2
        turn = SECONDARY if self._stage == 1 else BOOT
        return next((k for k, move in enumerate(node.moves) if move.cpu == turn), 0)


def _is_at(point: ControlPoint, mnemonic: str) -> bool:
    return point.op is not None and f"/{FUNCTION}" in point.path and point.op.mnemonic == mnemonic


def _step(shared: Shared, point: ControlPoint) -> Iterator[Step]:
    """An operation of a routine; nothing for what concerns one CPU alone."""
    op = point.op
    assert op is not None
    head, _, variant = op.mnemonic.partition(".")
    if head in LOCAL:
        return
    operation, place = f"{head} {variant}".rstrip(), point.label
    if head in ("msr", "br", "tlbi", "dsb", "dmb", "isb"):
        yield Step(place, operation, "", _written(shared, op.args[0]) if head == "msr" else "")
        return
    what = _object(shared.name(op.args[0])) if op.args else ""
    if head == "fill":
        yield Step(place, "str", what, times=op.args[3])
        return
    stored = op.args[1] if head in ("str", "stlr", "stxr") and what == FLAG else None
    yield Step(place, operation, what, "" if stored is None else str(stored))


def _object(name: str) -> str:
    """A word's name, or what kind of word it is."""
    return name if name in (FLAG, STACK) else TABLES if name.endswith("]") else name


def _written(shared: Shared, value: Any) -> str:
    """What an MSR writes: a table's name and the ASID, or which T0SZ."""
    if isinstance(value, Ttbr):
        name = shared.name(value.baddr).removesuffix("[0]")
        return (
            TTBR_NAMES.get(name, name)
            + (f", asid {value.asid}" if value.asid else "")
            + (", cnp" if value.cnp else "")
        )
    if isinstance(value, Tcr):
        if value.t0_bits == value.t1_bits:
            return SAME_SIZE
        return MORE_BITS if value.t0_bits > value.t1_bits else FEWER_BITS
    return str(value)
