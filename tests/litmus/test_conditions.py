"""Conditions are read with the right precedence and mean what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbbm.litmus.notation.conditions import (
    And,
    Condition,
    EntryIs,
    Faulted,
    MemoryIs,
    Not,
    Or,
    RegisterIs,
    atoms,
    condition,
    holds,
)
from simbbm.litmus.notation.syntax import Constant, Entry, Location, Malformed, Physical

TRUE, FALSE = "0:r1=1", "0:r1=2"


class End:
    """Register 1 of thread 0 is 1; the first descriptor of x is invalid; P1 faulted at 3."""

    def register(self, thread: int, number: int) -> object:
        return {(0, 1): 1, (0, 2): Entry("leaf", "pa1")}.get((thread, number))

    def word(self, where: Physical | Location) -> object:
        return Entry("INV") if isinstance(where, Location) else 5

    def faults(self, thread: int) -> tuple[tuple[int, str], ...]:
        return ((3, "permission"),) if thread == 1 else ()

    def constant(self, value: Constant, where: Location | None) -> object:  # noqa: ARG002
        return value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0:r2=1", RegisterIs(0, 2, 1)),
        (" P1:r13 = 0x1f ", RegisterIs(1, 13, 31)),
        ("1:r0=INV#2", RegisterIs(1, 0, Entry("INV", software=2))),
        ("1:r0=leaf(pa1,ro)", RegisterIs(1, 0, Entry("leaf", "pa1", ("ro",)))),
        ("1:r0=table(newtab)", RegisterIs(1, 0, Entry("table", "newtab"))),
        ("mem[pa1]=1", MemoryIs(Physical("pa1"), 1)),
        ("mem[pa1+8] = 2", MemoryIs(Physical("pa1", 8), 2)),
        ("pte(x)=INV(pa_x)", EntryIs(Location("x", 0, 3), Entry("INV", "pa_x"))),
        ("pte(x,L2)=INV", EntryIs(Location("x", 0, 2), Entry("INV"))),
        ("fault(P1@3)", Faulted(1, 3)),
        ("fault( P1 @ 3 , permission )", Faulted(1, 3, "permission")),
        ("fault(P1@3,AF)", Faulted(1, 3, "access-flag")),
    ],
)
def test_atoms(text: str, found: Condition) -> None:
    assert found == condition(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"{TRUE} | {TRUE} & {FALSE}", True),
        (f"({TRUE} | {TRUE}) & {FALSE}", False),
        (f"~{FALSE} & {TRUE}", True),
        (f"~({FALSE} | {TRUE})", False),
        (f"~~{TRUE}", True),
        (f"((({TRUE})))", True),
        (f"{FALSE} | {FALSE} | {TRUE}", True),
        (f"{TRUE}&{TRUE}&{FALSE}", False),
        ("0:r2=leaf(pa1)", True),
        ("0:r2=1", False),
        ("mem[pa9]=5", True),
        ("pte(x)=INV", True),
        ("pte(x)=INV#1", False),
        ("fault(P1@3)", True),
        ("fault(P1@3,permission)", True),
        ("fault(P1@3,translation)", False),
        ("fault(P1@2)", False),
        ("~fault(P0@3)", True),
        ("0:r9=0", False),
        ("~(0:r9=0)", True),
    ],
)
def test_meaning(text: str, value: bool) -> None:
    assert value == holds(condition(text), End())


def written(found: Condition) -> str:
    match found:
        case Not(part=part):
            return f"~({written(part)})"
        case And(parts=parts):
            return " & ".join(f"({written(p)})" for p in parts)
        case Or(parts=parts):
            return "|".join(f"({written(p)})" for p in parts)
        case RegisterIs(thread=thread, register=number, value=value):
            return f"{thread}:r{number}={value}"
        case _:
            return "fault(P1@3)"


LEAVES = st.one_of(
    st.builds(RegisterIs, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)),
    st.just(Faulted(1, 3)),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.tuples(inner, inner)),
        st.builds(Or, st.tuples(inner, inner, inner)),
    ),
    max_leaves=12,
)


@given(CONDITIONS)
def test_what_is_written_is_read(found: Condition) -> None:
    again = condition(written(found))

    assert found == again
    assert [*atoms(found)] == [*atoms(again)]
    assert holds(found, End()) == holds(again, End())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0:r1",
        "0:r1=",
        "r1=0",
        "0:r1=0 &",
        "& 0:r1=0",
        "(0:r1=0",
        "0:r1=0)",
        "0:r1=0 0:r2=0",
        "0:r1==0",
        "0:r1=r2",
        "mem[1]=0",
        "mem[pa1=0",
        "pte(x)=1",
        "fault(1@2)",
        "fault(P1@2,nonsense)",
        "exists (0:r1=0)",
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as error:
        condition(text)

    assert error.value.hint
