"""What a program on a window shows is what the same instructions show as a listing."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.features import DELAYED
from simbbm.litmus.run import run
from tests.litmus.rows import made
from tests.support import FLAG, FLAG2, outcomes

Ops = tuple[str, ...]
WORD = {"x": FLAG, "y": FLAG2}
LOADS = {"ld": "ldr", "ld.acq": "ldar", "ld.acqpc": "ldapr"}
STORES = {"st": "str", "st.rel": "stlr"}

SHAPES: list[tuple[Ops, ...]] = [
    (writer, reader)
    for writer in (("st x 1", "dmb st", "st y 2"), ("st x 1", "st.rel y 2"), ("st x 1", "st x 2"))
    for first in LOADS
    for between in ((), ("dmb ld",), ("dmb st",), ("st.rel x 3",))
    for reader in ((f"{first} y", *between, "ld x"), (f"{first} x", *between, "ld x"))
]
SHAPES += [
    (("st x 1", *between, "ld y", "ld x"), ("st y 2", *between, "ld x"))
    for between in ((), ("dmb sy",), ("dmb ld",), ("dsb st",), ("ld y",))
]
SHAPES += [
    ((f"{store} x 1", f"{load} y"), (f"{store} y 2", f"{load} x"))
    for store in STORES
    for load in LOADS
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: " | ".join(map("; ".join, shape)))
def test_programs_and_listings_show_the_same(shape: tuple[Ops, ...]) -> None:
    """The same shapes in order, on a window, and as a litmus test."""
    in_order, on_window = (
        outcomes(*map(as_steps, shape), hardware=DELAYED._replace(window=window))
        for window in (1, 8)
    )

    assert in_order <= on_window
    assert on_window == as_listing(shape)


def as_steps(ops: Ops) -> tuple[Any, ...]:
    """Operations of a litmus test as steps of a program."""
    steps: list[Any] = []
    for op in ops:
        name, operand, *value = op.split()
        known = LOADS | STORES
        at = WORD[operand] if name in known else operand
        steps.append((known.get(name, name), at, *map(int, value)))
    return tuple(steps)


def as_listing(shape: tuple[Ops, ...]) -> set[tuple[Any, ...]]:
    """What the loads of each thread return in a litmus test."""
    threads, loads = [], []
    for number, ops in enumerate(shape):
        count = 0
        listed = []
        for op in ops:
            name, operand, *value = op.split()
            if name in LOADS:
                listed.append(f"r{count} = {op}")
                loads.append((number, f"{number}:r{count}"))
                count += 1
            else:
                listed.append(f"{name} {operand} = {value[0]}" if value else op)
        threads.append(listed)
    condition = " & ".join(f"{register}=0" for _, register in loads)
    test = made(*threads, map={"x": "leaf(pa1)", "y": "leaf(pa2)"}, condition=condition)
    ends = set()
    for ending in run(test).endings:
        values = dict(part.split("=") for part in ending.text.split("; ") if ":r" in part)
        ends.add(
            tuple(
                tuple(int(values[register]) for of, register in loads if of == number)
                for number in range(len(shape))
            )
        )
    return ends
