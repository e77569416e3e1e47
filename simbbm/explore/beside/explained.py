"""The differences between kernel images and the model that are known, with their reasons.

A difference that no row has is not explained. Each row allows an operation that only one side has,
or another number of alike loads; what else the two do, and in which order, has to be the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from simbbm.explore.beside.align import Pair
from simbbm.explore.beside.operations import FEWER_BITS, STACK, TABLES, Step

IMAGE, MODEL = "image", "model"
MORE, FEWER = "more", "fewer"
VALUE = "value"


class Explained(NamedTuple):
    """A difference, and why it is one."""

    side: str
    """Who has the step: `image`, `model`; both, but the image does it `more` often, or `fewer`
    times, or writes another `value`."""
    operation: str
    what: str
    why: str
    needs: str = ""
    """Only of a kernel that is patched for this capability."""
    lacks: str = ""
    """Only of a kernel that is not patched for this one."""
    value: str = ""
    """What the image writes, where that is another thing than the model does."""


EXPLAINED = (
    Explained(
        IMAGE,
        "ldr",
        "__num_online_cpus",
        "num_online_cpus() is loaded in each turn of the wait; the model has it as a constant",
    ),
    Explained(
        MORE,
        "ldr",
        TABLES,
        "the walk loads an entry again in each of its functions, and goes over all of the linear "
        "map's addresses; the model loads an entry once, and skips what is not there",
    ),
    Explained(
        IMAGE,
        "ldr",
        TABLES,
        "the walk goes on behind the block, where nothing is mapped; the model's ends there",
    ),
    Explained(
        MODEL,
        "ldr",
        STACK,
        "it stands for all private memory, of which an image's accesses are left out here",
    ),
    Explained(
        IMAGE,
        "tlbi vale1is",
        "",
        "patched in for REPEAT_TLBI: another TLBI, and a DSB that completes both",
        "REPEAT_TLBI",
    ),
    Explained(
        IMAGE,
        "dsb ish",
        "",
        "patched in for REPEAT_TLBI: it completes both TLBIs",
        "REPEAT_TLBI",
    ),
    Explained(
        IMAGE,
        "dmb ish",
        "",
        "of an atomic in private memory: without LSE it is a loop of exclusives and a barrier",
        lacks="LSE",
    ),
    Explained(
        VALUE,
        "msr tcr_el1",
        "",
        "with 52-bit addresses the idmap has fewer bits than the kernel; the model's has more",
        "VA52",
        value=FEWER_BITS,
    ),
)


def why(pair: Pair, features: Collection[str]) -> str | None:
    """Why two sides differ; empty if they do not, None if nobody knows."""
    step: Step | None = pair.left or pair.right
    assert step is not None
    side = _side(pair)
    if not side:
        return ""
    for row in EXPLAINED:
        fits = (row.side, row.operation, row.what) == (side, step.operation, step.what)
        possible = (not row.needs or row.needs in features) and row.lacks not in features
        if fits and possible and (side != VALUE or row.value == step.value):
            return row.why
    return None


def _side(pair: Pair) -> str:
    """In which way the two differ; empty if they do not."""
    image, model = pair
    if not image or not model:
        return IMAGE if image else MODEL
    if image.value != model.value:
        return VALUE
    return "" if image.times == model.times else MORE if image.times > model.times else FEWER
