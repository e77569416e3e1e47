"""A DSB NSH waits for this CPU's own stores and TLBIs here, and for nobody else."""

from __future__ import annotations

import pytest

from simbbm.arm64.descriptor import leaf
from tests.support import FLAG, NEW, OLD, PX, X, outcomes

ISB = ("isb",)


@pytest.mark.parametrize(("option", "waits"), [("ish", True), ("sy", True), ("nsh", False)])
def test_only_a_wider_dsb_waits_for_other_cpus(option: str, waits: bool) -> None:
    """The other CPU may use what the TLBI takes away, after the flag that follows the DSB."""
    change = ("str", PX, leaf(NEW)), ("dsb", "ish"), ("tlbi", "vmalle1is"), ("dsb", option)
    ends = outcomes((*change, ("str", FLAG, 1)), (("ldr", FLAG), ISB, ("ldr", X)), x=leaf(OLD))
    after = {seen for _, seen in ends if seen[0] == 1}

    assert {(1, NEW)} <= after
    assert waits == ((1, OLD) not in after)


@pytest.mark.parametrize("option", ["ish", "nsh"])
def test_either_waits_for_the_own_cpu(option: str) -> None:
    change = ("str", PX, leaf(NEW)), ("dsb", "ish"), ("tlbi", "vmalle1is"), ("dsb", option)

    assert {((NEW,),)} == outcomes((*change, ISB, ("ldr", X)), x=leaf(OLD))
