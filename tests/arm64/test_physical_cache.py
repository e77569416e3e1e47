"""CPUs without FEAT_nTLBPA keep descriptors by physical address (R22)."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.arm64.descriptor import leaf, table
from simbbm.arm64.features import DELAYED, Features, Hardware
from simbbm.arm64.registers import Ttbr
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.runs.replay import model_of
from simbbm.explore.search.prove import Prover, witness_along
from simbbm.model import Model
from tests.support import INV, NEW, OLD, PTABLE, PX, PY, ROOT, SPARE, X, explore, little

COPIES = Features(ntlbpa=False)
DSB, ISB = ("dsb", "ish"), ("isb",)
AGAIN = ("msr", "ttbr0_el1", Ttbr(ROOT, asid=2)), ISB
"""Another address space with the same tables: no entry of the TLB is for it."""


def seen(
    *steps: Any, features: Features = COPIES, hardware: Hardware = DELAYED, **tables: Any
) -> set[Any]:
    """What the last load observes."""
    system = little(steps, features=features, hardware=hardware, **tables)
    return {loads[-1] for (loads,) in explore(system).outcomes}


def private(page: int) -> Any:
    return leaf(page, not_global=True)


@pytest.mark.parametrize(
    ("features", "hardware", "expected"),
    [
        (COPIES, DELAYED, {OLD, None}),
        (Features(), DELAYED, {None}),
        (COPIES, DELAYED.without("physical translation cache"), {None}),
    ],
)
def test_a_walk_may_read_what_was_valid(
    features: Features, hardware: Hardware, expected: set[Any]
) -> None:
    steps = ("str", PX, INV), DSB, *AGAIN, ("ldr", X)

    assert seen(*steps, x=private(OLD), features=features, hardware=hardware) == expected


@pytest.mark.parametrize(
    ("tlbi", "stale"),
    [
        (("vmalle1is",), False),
        (("aside1is", None, 1), False),
        (("vae1is", 0, 1), False),
        (("vaae1is", 0), False),
        (("vae1is", 1, 1), True),
        (("aside1is", None, 3), True),
        (("vaae1is", 0, None, None, 2), True),
    ],
)
def test_which_tlbi_is_for_a_copy(tlbi: Any, stale: bool) -> None:
    steps = ("str", PX, INV), DSB, ("tlbi", *tlbi), DSB, *AGAIN, ("ldr", X)

    assert (OLD in seen(*steps, x=private(OLD))) == stale


@pytest.mark.parametrize(("op", "stale"), [("vae1is", False), ("vale1is", True)])
def test_copies_of_tables_are_kept_as_well(op: str, stale: bool) -> None:
    """A TLBI of last levels leaves them."""
    relink = ("str", PTABLE, table(SPARE)), DSB, ("tlbi", op, 0, 1), DSB
    maps = {"x": private(OLD), "spare": (private(NEW), INV, INV, INV)}

    assert (OLD in seen(*relink, *AGAIN, ("ldr", X), **maps)) == stale


def test_a_copy_belongs_to_its_place_and_not_to_its_address() -> None:
    """The table comes to stand for other pages: what it said of the first it says of these."""
    move = ("str", PX, INV), ("str", PY, private(NEW)), DSB
    other = ("str", ROOT + 2, table(SPARE - 4)), DSB, *AGAIN, ("ldr", 8 * X + 8 * 16)

    assert seen(*move, *other, x=private(OLD)) == {OLD, None}


def test_a_twin_needs_such_a_cache() -> None:
    scenario = discovery.find("table_reuse::no_flush")
    proof = Prover(Model(scenario)).prove()
    assert proof.run
    witness = witness_along(Model(scenario), proof.run)
    explained = explain(witness, model_of(witness, scenario), 2_000)
    assert explained is not None

    assert explained.allowances.needed == ("speculative walk", "physical translation cache")
