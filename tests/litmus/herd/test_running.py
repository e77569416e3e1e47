"""Tests in herd7's format that are the project's own, each run exhaustively."""

from __future__ import annotations

from pathlib import Path

import pytest

import simbbm.litmus
from simbbm.litmus.files import read_file, read_herd
from simbbm.litmus.run import Result, run
from simbbm.litmus.setup import HARDWARE

EXAMPLES = sorted((Path(simbbm.litmus.__file__).parent / "examples").glob("*.litmus"))


def ran(text: str, *, ets2: bool = False) -> Result:
    """The result of a test that has to be one."""
    line = read_herd("f", text)
    assert line.test is not None, line.error
    return run(line.test, ets2=ets2)


def one(start: str, code: str, condition: str, head: str = "") -> str:
    """A test of one thread, its instructions in one line."""
    rows = "".join(f" {row.strip()} ;\n" for row in code.split(";"))
    return f"AArch64 one\n{head}{{ {start} }}\n P0 ;\n{rows}{condition}\n"


def two(start: str, first: str, second: str, condition: str, head: str = "") -> str:
    """A test of two threads."""
    left, right = ([part.strip() for part in code.split(";")] for code in (first, second))
    count = max(len(left), len(right))
    left, right = (side + [""] * (count - len(side)) for side in (left, right))
    rows = "".join(f" {a} | {b} ;\n" for a, b in zip(left, right, strict=True))
    return f"AArch64 two\n{head}{{ {start} }}\n P0 | P1 ;\n{rows}{condition}\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_hold(path: Path) -> None:
    (line,) = read_file(path)
    assert line.test is not None, line.error

    assert run(line.test).reached is False


COMPUTED = [
    ("ADD X2,X1,#3", "8"),
    ("SUB X2,X1,#7", "-2"),
    ("SUB W2,W1,#7", "0xfffffffe"),
    ("EOR X2,X1,X1", "0"),
    ("AND X2,X1,#4", "4"),
    ("ORR X2,X1,#8", "13"),
    ("BIC X2,X1,#1", "4"),
    ("LSL X2,X1,#4", "80"),
    ("LSR X2,X1,#2", "1"),
    ("MOV W2,WZR", "0"),
    ("CMP X1,#5; CSET W2,EQ", "1"),
    ("CMP X1,#6; CSEL X2,X1,XZR,GE", "0"),
    ("CMP X1,#6; CSINC X2,X1,X1,HI", "6"),
    ("TST X1,#2; CSET W2,NE", "0"),
    ("SUBS X2,X1,#9; CSET W2,MI", "1"),
    ("CBZ X1,L0; MOV X2,#3; L0: NOP", "3"),
    ("TBNZ X1,#0,L0; MOV X2,#3; L0: NOP", "0"),
    ("MOV X2,#1; B L0; MOV X2,#2; L0: NOP", "1"),
    ("MOV X2,#3; L0: SUB X2,X2,#1; CBNZ X2,L0", "0"),
    ("STP W1,WZR,[X3]; LDP W2,W4,[X3]", "5"),
    ("STR W1,[X3,#4]; ADD X3,X3,#4; LDR W2,[X3]", "5"),
    ("STR W1,[X3],#4; LDR W2,[X3,#-4]", "5"),
    ("STR W1,[X3,#4]!; LDR W2,[X3]", "5"),
    ("SWP W1,W4,[X3]; LDR W2,[X3]", "5"),
    ("MOV W4,#0; CAS W4,W1,[X3]; LDR W2,[X3]", "5"),
    ("MOV W4,#1; CASAL W4,W1,[X3]; LDR W2,[X3]", "0"),
    ("LDADD W1,W4,[X3]; LDADDA W1,W2,[X3]", "5"),
    ("STSET W1,[X3]; STCLR W1,[X3]; LDSETL W1,W2,[X3]", "0"),
    ("DC CIVAC,X3; IC IALLU; MOV X2,X1", "5"),
]


@pytest.mark.parametrize(("code", "value"), COMPUTED, ids=[code for code, _ in COMPUTED])
def test_instructions_compute(code: str, value: str) -> None:
    result = ran(one("int m; 0:X1=5; 0:X3=m", code, f"forall 0:X2={value}"))

    assert result.endings
    assert result.reached is False


FIELDS = [
    ("valid:0", "MOV X3,#1; LDR X4,[X1]; ORR X4,X4,X3; STR X4,[X1]", "(oa:PA(x))"),
    ("valid:1", "MOV X3,#1; STCLR X3,[X1]", "(valid:0)"),
    ("db:1", "MOV X3,#1; LSL X3,X3,#7; STSET X3,[X1]", "(db:0)"),
    ("af:0", "MOV X3,#1; LSL X3,X3,#10; LDSET X3,X5,[X1]", "(af:1)"),
    ("dbm:0", "MOV X3,#1; LSL X3,X3,#51; LDSET X3,X5,[X1]", "(dbm:1)"),
    ("el0:1", "MOV X3,#64; LDEOR X3,X5,[X1]", "(el0:0)"),
]


@pytest.mark.parametrize(("field", "code", "after"), FIELDS, ids=[field for field, *_ in FIELDS])
def test_descriptors_are_bits(field: str, code: str, after: str) -> None:
    start = f"[PTE(x)]=({field}); 0:X1=PTE(x)"

    assert ran(one(start, code, f"forall [PTE(x)]={after}")).reached is False


@pytest.mark.parametrize(
    ("field", "code", "kind"),
    [
        ("valid:0", "LDR W2,[X1]", "Translation"),
        ("af:0", "LDR W2,[X1]", "AccessFlag"),
        ("db:0", "STR W2,[X1]", "Permission"),
        ("db:0", "SWP W2,W3,[X1]", "Permission"),
    ],
)
def test_faults_have_kinds(field: str, code: str, kind: str) -> None:
    start = f"[PTE(x)]=({field}); 0:X1=x"
    result = ran(
        one(start, f"L0: {code}; MOV X9,#1", f"forall fault(P0:L0,x,MMU:{kind}) /\\ 0:X9=0")
    )

    assert result.reached is False


def test_el0_may_access_neither_kernel_pages_nor_descriptors() -> None:
    start = "[PTE(x)]=(el0:0); 0:X1=x; 0:X2=PTE(x); 1:X1=x; 1:X2=PTE(x)"
    kernel = "forall (fault(P0,x,MMU:Permission) /\\ ~fault(P1,x))"
    tables = "forall (fault(P0) /\\ ~fault(P1))"

    assert ran(two(start, "LDR W3,[X1]", "LDR W3,[X1]", kernel, "EL0=P0\n")).reached is False
    assert ran(two(start, "LDR X3,[X2]", "LDR X3,[X2]", tables, "EL0=P0\n")).reached is False


def test_what_follows_a_fault_is_the_variant() -> None:
    start = "[PTE(x)]=(valid:0); pteval_t 0:X0=(oa:PA(x)); 0:X1=PTE(x); 1:X3=x"
    code = "STR X0,[X1]", "L0: LDR W4,[X3]; MOV W5,#1"
    for variant, condition in (
        ("fatal", "forall (fault(P1:L0,x) /\\ 1:X5=0 \\/ ~fault(P1:L0,x) /\\ 1:X5=1)"),
        ("faultToNext", "forall 1:X5=1"),
        ("handled", "forall 1:X5=1"),
    ):
        result = ran(two(start, *code, condition, f"Variant={variant}\n"))
        assert result.reached is False, variant
        assert len(result.endings) == 2


def test_pointers_are_followed_and_labels_compared() -> None:
    start = "int x=3; int *p=&x; 0:X1=p"
    code = "LDR X2,[X1]; LDR W3,[X2]; ADR X4,L0; L0: NOP"

    result = ran(one(start, code, 'forall (0:X3=3 /\\ 0:X2=x /\\ 0:X4=label:"P0:L0")'))

    assert result.reached is False


def test_filter_leaves_ends_out() -> None:
    start = "int x; 0:X1=x; 1:X1=x; 0:X2=1"

    every = ran(two(start, "STR W2,[X1]", "LDR W3,[X1]", "exists 1:X3=1"))
    some = ran(two(start, "STR W2,[X1]", "LDR W3,[X1]", "filter 1:X3=0\nexists 1:X3=1"))

    assert (every.reached, every.observation) == (True, "Sometimes")
    assert (some.reached, some.observation) == (False, "Never")


ORDERED = [
    ("LDR W2,[X3]; CBZ W2,L0; L0: LDR W4,[X1]", True),
    ("LDR W2,[X3]; CBZ W2,L0; ISB; LDR W4,[X1]; L0: NOP", False),
    ("LDR W2,[X3]; CBZ W2,L0; LDR W4,[X1]; L0: NOP", True),
    ("L0: LDR W2,[X3]; CBZ W2,L0; LDR W4,[X1]", True),
    ("LDR W2,[X3]; EOR W5,W2,W2; LDR W4,[X1,W5,SXTW]", False),
    ("LDR W2,[X3]; CMP W2,#1; CSEL W5,WZR,WZR,EQ; LDR W4,[X1,W5,SXTW]", True),
    ("LDAR W2,[X3]; LDR W4,[X1]", False),
    ("LDAPR W2,[X3]; LDR W4,[X1]", False),
    ("SWPA WZR,W2,[X3]; LDR W4,[X1]", False),
    ("SWP WZR,W2,[X3]; LDR W4,[X1]", True),
    ("LDADDAL WZR,W2,[X3]; LDR W4,[X1]", False),
    ("LDAXR W2,[X3]; STXR W6,W2,[X3]; LDR W4,[X1]", False),
    ("LDXR W2,[X3]; STXR W6,W2,[X3]; LDR W4,[X1]", True),
]


@pytest.mark.parametrize(("reader", "allowed"), ORDERED, ids=[code for code, _ in ORDERED])
def test_readers_of_a_message(reader: str, *, allowed: bool) -> None:
    """Which readers of a flag may miss what was stored before it: dependencies and order."""
    start = "int x; int f; 0:X1=x; 0:X3=f; 0:X2=1; 1:X1=x; 1:X3=f; 1:X4=7"
    writer = "STR W2,[X1]; DMB ST; STR W2,[X3]"

    assert ran(two(start, writer, reader, "exists (1:X2=1 /\\ 1:X4=0)")).reached is allowed


def test_a_store_exclusive_fails_or_nobody_came_between() -> None:
    start = "int x; 0:X1=x; 1:X1=x; 0:X5=1; 0:X6=2; 1:X5=2"
    code = "LDXR W2,[X1]; STXR W3,W5,[X1]", "STR W5,[X1]"

    between = ran(two(start, *code, "exists (0:X2=0 /\\ 0:X3=0 /\\ x=1)"))
    failing = ran(two(start, *code, "exists (0:X2=0 /\\ 0:X3=1)"))

    assert between.reached is False
    assert failing.reached is True


def test_a_load_of_an_atomic_without_a_register_is_not_waited_for() -> None:
    """STADD reads, but a DMB LD does not order what it has read."""
    start = "int x; int y; 0:X1=x; 0:X3=y; 0:X2=1; 1:X1=y; 1:X3=x; 1:X2=1"
    other = "STR W2,[X3]; DMB SY; STR W2,[X1]"
    condition = "exists ([y]=2 /\\ 0:X4=0)"  # STADD has read what is stored last, the load has not
    for first, allowed in (("STADD W2,[X3]", True), ("LDADD W2,W5,[X3]", False)):
        code = f"{first}; DMB LD; LDR W4,[X1]"
        assert ran(two(start, code, other, condition)).reached is allowed, first


BEHIND = "exists ([y]=2 /\\ 1:X4=0 /\\ fault(P1,z))"
AHEAD = [
    ("DMB ST", "LDR W4,[X3]", BEHIND, True),
    ("DMB SY", "LDR W4,[X3]", BEHIND, False),
    ("DSB ST", "LDR W4,[X3]", BEHIND, False),
    ("DMB ST", "STR W2,[X3]", "exists ([y]=2 /\\ [x]=1 /\\ fault(P1,z))", False),
]


def faulting(barrier: str, handler: str, condition: str) -> str:
    """P1 stores, and takes a fault behind a barrier; its handler accesses what P0 stores first."""
    start = "[PTE(z)]=(valid:0); 0:X1=y; 0:X3=x; 0:X2=1; 1:X1=y; 1:X3=x; 1:X5=z; 1:X2=2"
    rows = [
        ("STR W2,[X3]", "STR W2,[X1]", handler),
        ("STLR W2,[X1]", barrier, ""),
        ("", "STR WZR,[X5]", ""),
    ]
    body = "".join(f" {' | '.join(row)} ;\n" for row in rows)
    return f"AArch64 h\n{{ int x; int y; {start} }}\n P0 | P1 | P1.F ;\n{body}{condition}\n"


@pytest.mark.parametrize(("barrier", "handler", "condition", "allowed"), AHEAD)
def test_a_handler_does_not_wait_for_its_fault(
    barrier: str, handler: str, condition: str, *, allowed: bool
) -> None:
    """A fault waits for the DMB ST before it, what its handler loads does not (R10, R14).

    What its handler stores is behind the DMB itself; DMB SY and DSB order what it loads as well.
    """
    assert ran(faulting(barrier, handler, condition)).reached is allowed


def test_without_that_a_fault_is_a_barrier() -> None:
    line = read_herd("f", faulting(*AHEAD[0][:3]))
    assert line.test is not None
    hardware = HARDWARE._replace(ablations=("fault-is-a-barrier",))

    assert run(line.test, hardware=hardware).reached is False


@pytest.mark.parametrize(("load", "allowed"), [("LDAR", False), ("LDR", True)])
def test_a_tlbi_waits_for_a_fault_that_was_taken(load: str, *, allowed: bool) -> None:
    """A barrier orders the fault, so it is met anew once the TLBI has completed (R10)."""
    start = "[PTE(x)]=(db:0); pteval_t 0:X0=(oa:PA(x)); 0:X1=PTE(x); 0:X3=f; 0:X5=x; 0:X2=1"
    rows = [
        ("STR X0,[X1]", f"{load} W2,[X3]", ""),
        ("DSB ISH", "L0:", ""),
        ("LSR X6,X5,#12", "STR W2,[X5]", ""),
        ("TLBI VAAE1IS,X6", "", ""),
        ("DSB ISH", "", ""),
        ("STR W2,[X3]", "", ""),
    ]
    body = "".join(f" {' | '.join(row)} ;\n" for row in rows)
    head = f"AArch64 t\n{{ int f; {start}; 1:X3=f; 1:X5=x }}\n P0 | P1 | P1.F ;\n"

    result = ran(f"{head}{body}exists (1:X2=1 /\\ fault(P1:L0,x))\n")

    assert result.reached is allowed
