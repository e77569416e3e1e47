"""Hardware that sets access flags and dirty states (FEAT_HAFDBS), in tests of herd7's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.arm64.features import FIELDS, Features, read_features
from simbbm.litmus.files import read_herd
from simbbm.litmus.run import run
from simbbm.litmus.setup import HARDWARE
from tests.cli.commandline import Cli
from tests.litmus.herd.test_running import one, ran, two

HA, HD = "TTHM=HA\n", "TTHM=HD\n"
CLEAN = "db:0, dbm:1"
DIRTY = "(oa:PA(x), db:1, dbm:1)"


@pytest.mark.parametrize(
    ("head", "field", "code", "faults"),
    [
        ("", "af:0", "LDR W2,[X1]", True),
        (HA, "af:0", "LDR W2,[X1]", False),
        (HA, "af:0, db:0", "STR W2,[X1]", True),
        (HA, CLEAN, "STR W2,[X1]", True),
        (HD, "db:0", "STR W2,[X1]", True),
        (HD, CLEAN, "STR W2,[X1]", False),
        (HD, f"af:0, {CLEAN}", "SWP W2,W3,[X1]", False),
        (HD, f"valid:0, {CLEAN}", "STR W2,[X1]", True),
    ],
)
def test_updates_take_the_place_of_faults(
    head: str, field: str, code: str, *, faults: bool
) -> None:
    start = f"[PTE(x)]=({field}); 0:X1=x; 0:X2=3"
    wanted = "fault(P0:L0,x)" if faults else "~fault(P0:L0,x)"

    result = ran(one(start, f"L0: {code}", f"forall {wanted}", head))

    assert result.endings
    assert result.reached is False


def test_a_load_sets_the_access_flag_and_leaves_the_page_clean() -> None:
    start = f"[PTE(x)]=(af:0, {CLEAN}); 0:X1=x"
    condition = f"forall [PTE(x)]=(af:1, {CLEAN})"

    assert ran(one(start, "LDR W2,[X1]", condition, HD)).reached is False


def test_a_store_makes_its_page_dirty() -> None:
    start = f"[PTE(x)]=(af:0, {CLEAN}); 0:X1=x; 0:X2=3"
    condition = f"forall ([PTE(x)]={DIRTY} /\\ x=3)"

    assert ran(one(start, "STR W2,[X1]", condition, HD)).reached is False


@pytest.mark.parametrize(
    ("head", "start", "code", "after", "allowed"),
    [
        # An access flag may be set for nothing; a dirty state needs a store that is made.
        (HA, "af:0", "NOP", "af:1", True),
        ("", "af:0", "NOP", "af:1", False),
        (HA, "af:0, valid:0", "NOP", "af:1, valid:0", False),
        (HA, "af:0", "CBZ XZR,L1; LDR W2,[X1]; L1: NOP", "af:1", True),
        (HD, CLEAN, "NOP", "db:1, dbm:1", False),
        (HD, CLEAN, "LDR W2,[X3]; CBZ W2,L1; STR W2,[X1]; L1: NOP", "db:1, dbm:1", False),
        # A store-exclusive or CAS that fails may make its page dirty, or not.
        (HD, CLEAN, "STXR W4,W2,[X1]", "db:1, dbm:1", True),
        (HD, CLEAN, "STXR W4,W2,[X1]", CLEAN, True),
        (HD, CLEAN, "MOV W4,#7; CAS W4,W2,[X1]", "db:1, dbm:1", True),
        (HD, CLEAN, "MOV W4,#7; CAS W4,W2,[X1]", CLEAN, True),
        (HD, CLEAN, "MOV W4,#0; CAS W4,W2,[X1]", CLEAN, False),
    ],
)
def test_which_updates_may_be(
    head: str, start: str, code: str, after: str, *, allowed: bool
) -> None:
    start = f"int z; [PTE(x)]=({start}); 0:X1=x; 0:X3=z"

    assert ran(one(start, code, f"exists [PTE(x)]=({after})", head)).reached is allowed


@pytest.mark.parametrize(
    ("barrier", "allowed"), [("DMB SY", True), ("DSB LD", True), ("DSB SY", False)]
)
def test_a_full_dsb_alone_waits_for_an_update(barrier: str, *, allowed: bool) -> None:
    """The access is performed, a flag says so, and the descriptor is not written yet."""
    start = "int f; [PTE(x)]=(af:0); 0:X1=x; 0:X3=f; 0:X4=1; 1:X3=f; 1:X5=PTE(x)"
    code = f"LDR W2,[X1]; {barrier}; STR W4,[X3]", "LDR W2,[X3]; DMB LD; LDR X6,[X5]"

    result = ran(two(start, *code, "exists (1:X2=1 /\\ 1:X6=(oa:PA(x), af:0))", "TTHM=P0:HA\n"))

    assert result.reached is allowed


def test_nobody_writes_between_a_walk_and_its_update() -> None:
    """A swap that clears the flag has read the flag set, or the update comes behind it."""
    start = "[PTE(x)]=(af:0); 0:X1=x; 1:X5=PTE(x); pteval_t 1:X4=(oa:PA(x), valid:0)"
    lost = "exists (1:X6=(oa:PA(x), af:0) /\\ [PTE(x)]=(oa:PA(x)))"

    assert ran(two(start, "LDR W2,[X1]", "SWP X4,X6,[X5]", lost, "TTHM=P0:HA\n")).reached is False


INVALIDATE = "DSB ISH; LSR X7,X1,#12; TLBI VAAE1IS,X7; DSB ISH"


def test_a_store_makes_its_page_dirty_once() -> None:
    """Software that has seen it dirty, cleaned it and invalidated TLBs, finds it clean."""
    start = f"[PTE(x)]=({CLEAN}); 0:X1=x; 0:X2=1; 1:X1=x; 1:X5=PTE(x)"
    start += f"; pteval_t 1:X4=({CLEAN}, oa:PA(x))"
    again = f"exists (1:X6={DIRTY} /\\ [PTE(x)]={DIRTY})"
    for code in ("SWP X4,X6,[X5]", f"SWP X4,X6,[X5]; {INVALIDATE}"):
        result = ran(two(start, "STR W2,[X1]", code, again, "TTHM=P0:HD\n"))
        assert result.reached is False


def test_a_tlbi_waits_for_an_update_that_was_begun() -> None:
    """What a walk has read before the TLBI is written before it completes."""
    start = "int f; [PTE(x)]=(af:0); 0:X1=x; 0:X3=f; 0:X4=1; 1:X1=x; 1:X3=f; 1:X5=PTE(x)"
    late = "exists (1:X2=1 /\\ 1:X6=(oa:PA(x), af:0))"
    for code, allowed in ((f"DSB SY; {INVALIDATE}", False), ("DSB SY", True)):
        reader = f"LDR W2,[X3]; {code}; LDR X6,[X5]"
        writer = "LDR W2,[X1]; DMB LD; STR W4,[X3]"
        assert ran(two(start, writer, reader, late, "TTHM=P0:HA\n")).reached is allowed


def test_a_tlbi_waits_for_a_store_that_has_made_its_page_dirty() -> None:
    """A page that is unmapped, and found dirty or not, gets no store afterwards."""
    start = (
        f"[PTE(x)]=({CLEAN}); 0:X1=x; 0:X2=1; 1:X5=PTE(x); 1:X1=x; 1:X3=z; [PTE(z)]=(oa:PA(x));"
        "pteval_t 1:X4=(oa:PA(x), valid:0)"
    )
    code = f"SWP X4,X6,[X5]; {INVALIDATE}; LDR W8,[X3]"
    late = "exists (1:X8=0 /\\ x=1)"

    assert ran(two(start, "STR W2,[X1]", code, late, "TTHM=P0:HD\n")).reached is False


def test_features_are_written_and_read() -> None:
    assert "hardware_af" in FIELDS
    found = read_features(Features(), "hardware_af,hardware_dirty")

    assert found.updates_descriptors
    assert len(found.recorded()) > len(Features().recorded())
    assert not Features().updates_descriptors


def test_a_descriptor_that_was_written_as_it_was_is_written_all_the_same() -> None:
    """A swap of the same value comes between a walk and its update, which then never happens."""
    start = "int f; [PTE(x)]=(af:0); 0:X1=x; 0:X3=f; 0:X4=1; 1:X3=f; 1:X5=PTE(x)"
    start += "; pteval_t 1:X4=(oa:PA(x), af:0)"
    code = "LDR W2,[X1]; DMB LD; STR W4,[X3]", "LDR W2,[X3]; DMB LD; SWP X4,X6,[X5]"
    late = "exists (1:X2=1 /\\ 1:X6=(oa:PA(x), af:0) /\\ ~fault(P0,x))"
    test = two(start, *code, late, "TTHM=P0:HA\n")

    assert ran(test).reached is False
    line = read_herd("f", test)
    assert line.test is not None
    hardware = HARDWARE._replace(ablations=("update-is-not-atomic",))
    assert run(line.test, hardware=hardware).reached, "the test notices what it is about"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("LDR W2,[X1]", "LDR W2,[X1]: updates PTE(x)"),
        ("LDR W2,[X3]", "sets the access flag: PTE(x) = "),
    ],
)
def test_updates_are_told(simbbm: Cli, tmp_path: Path, code: str, told: str) -> None:
    """As part of an instruction, or as hardware's own: not as a store that reaches memory."""
    file = tmp_path / "t.litmus"
    start = "int y; [PTE(x)]=(af:0); 0:X1=x; 0:X3=y"
    file.write_text(one(start, code, "exists [PTE(x)]=(af:1)", HA))

    rows = simbbm.rows("litmus", file, "--outcomes")
    (row,) = (r for r in rows if r["type"] == "litmus-outcome" and r["reached"])

    assert told in simbbm.ok("show", row["witness"], "--allow-file", file)
