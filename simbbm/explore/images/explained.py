"""The differences between kernel images and the model that are known, with their reasons.

A difference that no row has is not explained. Each row allows an operation that only one side has,
or another number of alike loads; what else the two do, and in which order, has to be the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from simbbm.explore.images.align import Pair
from simbbm.explore.images.operations import STACK, TABLES, Step

IMAGE, MODEL, BOTH = "image", "model", "both"
FEWER = "fewer"
"""Both have it, the image less often: no row has that."""


class Explained(NamedTuple):
    """A difference, and why it is one."""

    side: str
    """Who has the step: `image`, `model`; `both`, but the image more often."""
    operation: str
    what: str
    why: str
    needs: str = ""
    """Only of a kernel that is patched for this capability."""


EXPLAINED = (
    Explained(
        IMAGE,
        "ldr",
        "__num_online_cpus",
        "num_online_cpus() is loaded in each turn of the wait; the model has it as a constant",
    ),
    Explained(
        BOTH,
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
)


def why(pair: Pair, features: Collection[str]) -> str | None:
    """Why two sides differ; empty if they do not, None if nobody knows."""
    step: Step | None = pair.left or pair.right
    assert step is not None
    if pair.left and pair.right:
        if pair.left.times == pair.right.times:
            return ""
        side = BOTH if pair.left.times > pair.right.times else FEWER
    else:
        side = IMAGE if pair.left else MODEL
    for row in EXPLAINED:
        fits = (row.side, row.operation, row.what) == (side, step.operation, step.what)
        if fits and (not row.needs or row.needs in features):
            return row.why
    return None
