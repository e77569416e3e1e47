"""Labels: unique among the moves of a state, whatever is going on."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm.arm64.descriptor import RO, RW, Attributes, leaf
from simbbm.arm64.features import CONCRETE, DELAYED, EAGER, Features, Hardware
from tests.support import FLAG, INV, NEW, OLD, PX, X, Y, explore, little

RWX = Attributes(execute=True)
CHANGES = (
    ("str", PX, leaf(NEW, RO)),
    ("str", PX, leaf(NEW, RW)),
    ("str", PX, leaf(OLD, RWX)),
    ("tlbi", "vae1is", 0, 1),
    ("tlbi", "vae1is", 1, 1),
    ("tlbi", "vae1is", 0, 1),
    ("tlbi", "aside1is", None, 1),
    ("tlbi", "aside1is", None, 2),
    ("dsb", "ish"),
)
READS = (("ldr", X), ("str", X, 1), ("str", X + 1, 2), ("str", Y, 3), ("ldr", X))


@pytest.mark.parametrize("hardware", [DELAYED, CONCRETE, EAGER])
@pytest.mark.parametrize("conflict", ["abort", "amalgam"])
def test_labels_of_a_state_are_unique(hardware: Hardware, conflict: str) -> None:
    system = little(
        CHANGES[:4] if hardware.closure else CHANGES[2:4],
        READS[:2],
        x=leaf(OLD),
        y=leaf(NEW),
        hardware=hardware,
        features=Features(conflict=conflict),
        speculative=(0, 1),
    )
    for state in explore(system).states:
        labels = [move.label for move in system.moves(state)]
        assert len(labels) == len(set(labels))


def test_pending_tlbis_are_told_apart_by_their_operands() -> None:
    system = little(CHANGES[3:8], (("ldr", FLAG),), x=leaf(OLD), y=INV)
    labels = {m.label for state in explore(system).states for m in system.moves(state)}
    acts = {label for label in labels if label.startswith("dvm.cpu1") and "acts" in label}

    assert {
        "dvm.cpu1 vae1is page 0x0 asid=1 from cpu0: acts",
        "dvm.cpu1 vae1is page 0x1 asid=1 from cpu0: acts",
        "dvm.cpu1 aside1is asid=1 from cpu0: acts",
        "dvm.cpu1 aside1is asid=2 from cpu0: acts",
    } == acts


def test_moves_of_a_state_come_in_an_order_that_depends_on_it_alone() -> None:
    def system() -> Any:
        return little(CHANGES[:4], READS[:2], x=leaf(OLD))

    one, other = system(), system()
    found = explore(one)
    by_digest = {other.digest(state): state for state in explore(other).states}

    assert len(found.states) == len(by_digest)
    for state in found.states:
        expected = [move.label for move in one.moves(state)]
        again = other.moves(by_digest[one.digest(state)])
        assert expected == [move.label for move in again]
