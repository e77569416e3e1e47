"""A kernel image and the model: whether both CPUs ask the machine for the same, in the same order.

The code is executed as `binary/process.py` does, the model's run is its counterpart
(`of_model.py`). The two are laid side by side; a difference is explained by the table of
`explained.py`, or the image does something else than what is proved of the model.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from simbbm.binary.kernel import Kernel
from simbbm.binary.trace import AS_WANTED
from simbbm.explore.beside.align import Pair, aligned
from simbbm.explore.beside.explained import why
from simbbm.explore.beside.of_image import Executed, executed_boot, executed_secondary
from simbbm.explore.beside.of_model import parameters, steps_of_model
from simbbm.explore.beside.operations import FEWER_BITS, MORE_BITS
from simbbm.model import Model
from simbbm.scenario import Scenario


class Compared(NamedTuple):
    """An image's step beside the model's."""

    pair: Pair
    why: str | None
    """Why they differ; empty: they do not, None: nobody knows."""


class Comparison(NamedTuple):
    """One CPU of an image beside the model's."""

    cpu: int
    steps: tuple[Compared, ...]
    finding: str
    """What kept the image from being executed to the end, or what is wrong with its result."""

    @property
    def unexplained(self) -> tuple[Pair, ...]:
        """The differences that nobody knows."""
        return tuple(step.pair for step in self.steps if step.why is None)

    @property
    def agrees(self) -> bool:
        """Whether the image does what the model does."""
        return not self.unexplained and not self.finding


def compare(kernel: Kernel, good: Scenario) -> list[Comparison]:
    """Both CPUs of an image beside those of `linear_map_split::good`."""
    boot, secondary = executed_boot(kernel), executed_secondary(kernel)
    other = any(step.value in (MORE_BITS, FEWER_BITS) for step in secondary.steps)
    assert kernel.image.page_size is not None  # or else it would not have been executed
    model = Model(good, parameters(kernel.image.page_size, idmap_has_other_bits=other))
    sides = zip((boot, secondary), steps_of_model(model), strict=True)
    features = kernel.cpu_features
    return [
        Comparison(
            cpu,
            tuple(_compared(aligned(image.steps, steps), image, features)),
            image.finding or _wrong(image),
        )
        for cpu, (image, steps) in enumerate(sides)
    ]


def _compared(pairs: list[Pair], image: Executed, features: Collection[str]) -> list[Compared]:
    """The pairs with their reasons; behind a finding the model is alone, which says nothing."""
    while image.finding and pairs and pairs[-1].left is None:
        pairs.pop()
    return [Compared(pair, why(pair, features)) for pair in pairs]


def _wrong(image: Executed) -> str:
    """What is wrong with what became of the block."""
    return "" if image.outcome.endswith(AS_WANTED) or not image.outcome else image.outcome
