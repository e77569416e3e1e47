"""Atomic instructions in flight read first and write later (R41), in tests of herd7's format."""

from __future__ import annotations

import pytest

from simbbm.litmus.files import read_herd
from simbbm.litmus.run import run
from simbbm.litmus.setup import HARDWARE
from tests.litmus.herd.test_running import ran, two

START = "int x; int y; 0:X3=x; 0:X5=y; 0:X1=1; 1:X3=x; 1:X5=y"
READER = "LDR W6,[X5]; DMB LD; LDR W7,[X3]"
BEFORE = "exists (1:X6=1 /\\ 1:X7=0)"
"""What depends on the atomic is seen before what it writes."""
DEPENDS = "EOR W4,W2,W2; ADD W4,W4,#1; STR W4,[X5]"


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        (f"SWP W1,W2,[X3]; {DEPENDS}", True),
        (f"SWPA W1,W2,[X3]; {DEPENDS}", True),
        (f"LDADD W1,W2,[X3]; DMB LD; {DEPENDS}", True),
        (f"SWP W1,W2,[X3]; DMB ST; {DEPENDS}", False),
        (f"SWP W1,W2,[X3]; DMB SY; {DEPENDS}", False),
        (f"SWP W1,W2,[X3]; DSB LD; {DEPENDS}", True),
        (f"SWP W1,W2,[X3]; DSB ST; {DEPENDS}", False),
        (f"MOV W2,#0; CAS W2,W1,[X3]; {DEPENDS}", True),
        ("SWP W1,W2,[X3]; STLR W1,[X5]", False),
    ],
)
def test_its_value_is_known_before_it_has_written(code: str, *, allowed: bool) -> None:
    assert ran(two(START, code, READER, BEFORE)).reached is allowed


FORWARDS = [
    ("LDR", True),
    ("LDAR", False),
    ("LDAPR", False),
]


@pytest.mark.parametrize(("load", "allowed"), FORWARDS)
def test_a_load_gets_what_it_is_going_to_write_an_acquire_does_not(
    load: str, *, allowed: bool
) -> None:
    """Arm ARM B2.3, atomic-ordered-before: from the write of an atomic to an acquire of its own."""
    code = f"SWP W1,W8,[X3]; {load} W2,[X3]; {DEPENDS}"
    assert ran(two(START, code, READER, BEFORE)).reached is allowed


@pytest.mark.parametrize("load", ["LDAR", "LDAPR"])
def test_without_that_an_acquire_does(load: str) -> None:
    code = f"SWP W1,W8,[X3]; {load} W2,[X3]; {DEPENDS}"
    line = read_herd("f", two(START, code, READER, BEFORE))
    assert line.test is not None
    hardware = HARDWARE._replace(ablations=("acquire-forwards-from-atomic",))

    assert run(line.test, hardware=hardware).reached


@pytest.mark.parametrize("second", ["STR W9,[X3]", "SWP W9,W2,[X3]", "STADD W9,[X3]"])
def test_nobody_comes_between(second: str) -> None:
    """Its write is last, so it has read what the other one wrote."""
    start = f"{START}; 1:X9=2"
    code = "SWP W1,W2,[X3]"

    assert not ran(two(start, code, second, "exists (0:X2=0 /\\ x=1)")).reached
    assert ran(two(start, code, second, "exists (0:X2=2 /\\ x=1)")).reached


def test_the_hardware_does_not_come_between() -> None:
    """A walker that sets the access flag meanwhile is a writer like any other (R24)."""
    start = (
        "[PTE(x)]=(af:0); 0:X3=PTE(x); 1:X3=PTE(x); pteval_t 0:X1=(oa:PA(x), valid:0);"
        "pteval_t 0:X2; pteval_t 1:X4"
    )
    test = two(start, "SWP X1,X2,[X3]", "LDR X4,[X3]", "exists 1:X4=(oa:PA(x))", "TTHM=HA\n")
    between = test.replace("exists", "exists 0:X2=(oa:PA(x), af:0) /\\")

    assert ran(test).reached
    assert not ran(between).reached


def test_a_tlbi_waits_for_an_atomic_that_has_read() -> None:
    """R9: what was translated by what is gone is performed, both halves, before completion."""
    start = (
        "int x; int f; pteval_t 0:X0=(oa:PA(x), valid:0); 0:X1=PTE(x); 0:X3=f; 0:X5=x; 0:X2=1;"
        "1:X5=x; 1:X2=1; 1:X3=f"
    )
    first = (
        "STR X0,[X1]; DSB ISH; LSR X6,X5,#12; TLBI VAAE1IS,X6; DSB ISH; STR W2,[X3]; LDR W7,[X8]"
    )
    start += "; [PTE(z)]=(oa:PA(x)); 0:X8=z"
    second = "SWP W2,W4,[X5]"

    found = ran(two(start, first, second, "exists (0:X7=0 /\\ [x]=1)"))
    assert found.reached is False
