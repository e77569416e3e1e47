"""Two kernel images beside each other: what of the split differs.

Functions are told apart by their names and lengths, not by their words: those differ wherever
something else in the kernel has moved. What they do is compared by executing them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from simbbm.binary.formats.symbols import plain
from simbbm.binary.kernel import Kernel
from simbbm.explore.beside.align import aligned
from simbbm.explore.beside.of_image import Executed, executed_boot, executed_secondary
from simbbm.explore.beside.operations import PLAIN, TABLES, Step

FACT, FUNCTION, CALLED, ALTERNATIVE, JUMP_LABEL, CPU, STEP = (
    *("fact", "function", "called", "alternative", "jump label", "cpu", "step"),
)


class Difference(NamedTuple):
    """Something that one image has in another way, or alone."""

    kind: str
    name: str
    """A function, a capability, a CPU; of a step who takes it: cpu0."""
    before: str | None
    """What the first image has; None: nothing."""
    after: str | None
    place_before: str | None = None
    """Of a step where it stands: split_pmd+0x58."""
    place_after: str | None = None
    matters: bool = False
    """Whether other CPUs can notice it."""


def differences(before: Kernel, after: Kernel) -> list[Difference]:
    """All that differs, what the two execute last."""
    return [
        *_between(FACT, _facts(before), _facts(after)),
        *_between(FUNCTION, _functions(before), _functions(after)),
        *_between(CALLED, _called(before), _called(after)),
        *_between(ALTERNATIVE, _alternatives(before), _alternatives(after)),
        *_between(JUMP_LABEL, _jump_labels(before), _jump_labels(after)),
        *_between(CPU, _allowed(before), _allowed(after)),
        *_steps(0, executed_boot(before), executed_boot(after)),
        *_steps(1, executed_secondary(before), executed_secondary(after)),
    ]


def _between(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    names = [*before, *(name for name in after if name not in before)]
    return [
        Difference(kind, name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _facts(kernel: Kernel) -> dict[str, str]:
    image = kernel.image
    return {
        "page size": str(image.page_size),
        "bits of virtual addresses": f"{kernel.va_bits}, at least {image.va_bits_min}",
        "levels of tables": str(kernel.table_levels),
        "patched for": ", ".join(kernel.cpu_features),
    }


def _functions(kernel: Kernel) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for facts in kernel.functions:
        name = plain(facts.function.symbol.name)
        found.setdefault(name, []).append(f"{facts.instructions}")
    return {name: f"{' + '.join(lengths)} instructions" for name, lengths in found.items()}


def _called(kernel: Kernel) -> dict[str, str]:
    return {
        external.name: "stood in for" if external.is_stub else "a finding if it is reached"
        for external in kernel.externals
    }


def _alternatives(kernel: Kernel) -> dict[str, str]:
    """By capability: the functions that have some, and how many."""
    found: dict[str, dict[str, int]] = {}
    for facts in kernel.functions:
        for entry in facts.alternatives:
            there = found.setdefault(kernel.capabilities.name(entry.capability), {})
            name = plain(facts.function.symbol.name)
            there[name] = there.get(name, 0) + 1
    return {
        name: ", ".join(f"{function} x{count}" for function, count in sorted(there.items()))
        for name, there in found.items()
    }


def _jump_labels(kernel: Kernel) -> dict[str, str]:
    """By key: the functions that ask it."""
    found: dict[str, dict[str, None]] = {}
    for label in kernel.jump_labels:
        function = kernel.symbols.told(label.place).partition("+")[0]
        found.setdefault(kernel.symbols.told(label.key), {})[plain(function)] = None
    return {key: ", ".join(functions) for key, functions in found.items()}


def _allowed(kernel: Kernel) -> dict[str, str]:
    """By model: the revisions that may change the size of a live block."""
    found: dict[str, list[str]] = {}
    for row in kernel.allowed[1] if kernel.allowed else ():
        found.setdefault(row.model, []).append(row.revisions)
    return {model: ", ".join(revisions) for model, revisions in found.items()}


def _steps(cpu: int, before: Executed, after: Executed) -> Iterator[Difference]:
    """What one CPU does, in the order in which it happens, and how it ends."""
    who = f"cpu{cpu}"
    for left, right in aligned(before.steps, after.steps):
        if left and right and (left.value, left.times) == (right.value, right.times):
            continue
        yield Difference(
            STEP,
            who,
            left and str(left),
            right and str(right),
            left and left.place,
            right and right.place,
            matters=not _is_table_load(left) or not _is_table_load(right),
        )
    ends = (before.finding or before.outcome, after.finding or after.outcome)
    if ends[0] != ends[1]:
        yield Difference(STEP, who, *ends, matters=True)


def _is_table_load(step: Step | None) -> bool:
    """Whether it loads from tables, or is nothing: how often that happens, nobody notices."""
    return step is None or (step.operation, step.what) == (PLAIN[0], TABLES)
