"""Every operation of the notation is read, and what is none is met with the nearest one."""

from __future__ import annotations

import pytest

from simbbm.litmus.notation.operations import FORMS, Operation, Shootdown, operation
from simbbm.litmus.notation.syntax import (
    Base,
    Choice,
    Entry,
    Equal,
    Location,
    Malformed,
    Register,
    Unsupported,
)


def read(text: str) -> Operation:
    return operation(text, ["x", "y"], 3)


@pytest.mark.parametrize("text", FORMS)
def test_every_example_is_an_operation(text: str) -> None:
    assert text == read(text).text
    assert read(text).number == 3


@pytest.mark.parametrize("op", ["ld", "ld.acq", "ld.acqpc"])
@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("x", Location("x")),
        ("x+8", Location("x", 8)),
        ("x + 0x1000", Location("x", 4096)),
        ("pte(x)", Location("x", 0, 3)),
        ("pte(x,L2)", Location("x", 0, 2)),
        ("pte( x , L1 )", Location("x", 0, 1)),
        ("pte(x@newtab)", Location("x", 0, 3, "newtab")),
        ("pte(x+0x1000@newtab,L2)", Location("x", 4096, 2, "newtab")),
    ],
)
def test_loads(op: str, text: str, location: Location) -> None:
    found = read(f"r12 = {op} {text}")

    assert (op, 12, location) == (found.op, found.destination, found.location)


@pytest.mark.parametrize("location", ["x", "x+0x8", "pte(x)", "pte(x,L2)", "pte(x@newtab,L1)"])
def test_a_location_is_written_as_it_is_read(location: str) -> None:
    assert location == str(read(f"r1 = ld {location}").location)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("st x = 0x10", 16),
        ("st.rel x+8 = r3", Register(3)),
        ("st pte(x) = INV", Entry("INV")),
        ("st pte(x) = INV#2", Entry("INV", software=2)),
        ("st pte(x) = INV(pa_x)", Entry("INV", "pa_x")),
        ("st pte(x) = leaf(pa1)", Entry("leaf", "pa1")),
        ("st pte(x) = leaf( pa1 , ro )", Entry("leaf", "pa1", ("ro",))),
        ("st pte(x) = leaf(pa1,af=0,el1ro)", Entry("leaf", "pa1", ("af=0", "el1ro"))),
        ("st pte(x) = leaf(pa1+0x1000,cont)", Entry("leaf", "pa1", ("cont",), offset=4096)),
        ("st pte(x,L2) = table(newtab)", Entry("table", "newtab")),
        ("st pte(x) = r4", Register(4)),
        ("r1 = 7", 7),
        ("r1 = r2", Register(2)),
        ("r1 = INV", Entry("INV")),
        ("r1 = eq r2 leaf(pa1,ro)", Equal(2, Entry("leaf", "pa1", ("ro",)))),
        ("r1 = eq r2 5", Equal(2, 5)),
        ("r1 = 1 if fault.level==3 else 2", Choice("level", 3, 1, 2)),
        ("r1 = 1 if fault.kind == permission else 0", Choice("kind", "permission", 1, 0)),
        ("r1 = 1 if fault.kind==af else 0", Choice("kind", "access-flag", 1, 0)),
        ("msr ttbr0 = ttbr(root=other,asid=2)", Base("other", 2)),
        ("msr ttbr0_el1 = ttbr(root=other)", Base("other")),
        ("msr ttbr0 = r9", Register(9)),
    ],
)
def test_values(text: str, value: object) -> None:
    assert value == read(text).value


@pytest.mark.parametrize("op", ["dsb", "dmb"])
@pytest.mark.parametrize("option", ["sy", "ish", "st", "ld", "ishst", "ishld", "nsh", "osh"])
def test_barriers(op: str, option: str) -> None:
    assert (op, option) == (read(f"{op} {option}").op, read(f"{op} {option}").option)


@pytest.mark.parametrize(
    ("text", "shootdown"),
    [
        ("vae1 x", Shootdown("vae1", broadcast=False, location=Location("x"))),
        ("vae1is x", Shootdown("vae1", broadcast=True, location=Location("x"))),
        ("vaae1is x+0x1000", Shootdown("vaae1", True, Location("x", 4096))),
        ("vale1is x asid=2", Shootdown("vale1", True, Location("x"), 2)),
        ("vaale1 x", Shootdown("vaale1", False, Location("x"))),
        ("vmalle1", Shootdown("vmalle1", broadcast=False)),
        ("VMALLE1IS", Shootdown("vmalle1", broadcast=True)),
        ("aside1is asid=1", Shootdown("aside1", True, None, 1)),
        ("vae1is &pte(x)", Shootdown("vae1", True, Location("x", 0, 3), None, of_entry=True)),
    ],
)
def test_shootdowns(text: str, shootdown: Shootdown) -> None:
    assert shootdown == read(f"tlbi {text}").tlbi


@pytest.mark.parametrize(
    ("text", "address_from", "data_from"),
    [
        ("r1 = ld x {addr:r0}", (0,), ()),
        ("st x = 1 {data:r0}", (), (0,)),
        ("st x = 1 {addr:r0} {data:r1}", (0,), (1,)),
        ("st x = 1 {addr:r0,r2,data:r1}", (0, 2), (1,)),
        ("tlbi vae1is x {addr:r5}", (5,), ()),
        ("ctrl r3", (), (3,)),
        ("ctrl r3, r4", (), (3, 4)),
    ],
)
def test_dependencies(text: str, address_from: tuple[int, ...], data_from: tuple[int, ...]) -> None:
    assert (address_from, data_from) == (read(text).address_from, read(text).data_from)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("dsb sny", "dsb sy"),
        ("dmb ishts", "dmb ishst"),
        ("r1 = lod x", "r1 = ld x"),
        ("r1 = ld.aqc x", "r1 = ld.acq x"),
        ("stt x = 1", "st x = 1"),
        ("st ptee(x) = INV", "st pte(x) = INV"),
        ("st pte(x) = INVV", "st pte(x) = INV"),
        ("st pte(x) = leaf(pa1,rw0)", "st pte(x) = leaf(pa1,ro)"),
        ("st pte(x,L2) = tabel(newtab)", "st pte(x,L2) = table(newtab)"),
        ("tlbi vae1si x", "tlbi vae1is x"),
        ("tlbi vmalle1iss", "tlbi vmalle1is"),
        ("isbb", "isb"),
        ("r1 = 1 if fault.levle==3 else 2", "r1 = 1 if fault.level==3 else 2"),
        ("r1 = ld x {adr:r0}", "r1 = ld x {addr:r0}"),
        ("erett", "eret"),
    ],
)
def test_the_nearest_operation_is_named(text: str, nearest: str) -> None:
    with pytest.raises(Malformed) as error:
        read(text)

    assert f"`{text}`" in error.value.message
    assert f"the nearest is `{nearest}`" == error.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "frobnicate everything",
        "tlbi vae1is",
        "tlbi vmalle1 x",
        "tlbi aside1is x",
        "tlbi aside1is",
        "tlbi vaae1is x asid=1",
        "tlbi vae1is pte(x)",
        "tlbi vae1is &x",
        "st x = leaf(pa1)",
        "st pte(x) = 1",
        "msr ttbr0 = 5",
        "ctrl x",
        "label 5",
        "r1 = ld x {addr:x}",
        "r1 = ld x {addr:r0} please",
        "r1 = ld pte(x",
        "r1 = eq x 1",
        "r1 = 1 if fault.level==9 else 2",
    ],
)
def test_what_is_no_operation_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Malformed) as error:
        read(text)

    assert error.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ic iallu", "instruction fetch"),
        ("r1 = ldxr x", "exclusives"),
        ("swp r1 x", "atomics"),
        ("tlbi ipas2e1is x", "ipas2e1is"),
        ("tlbi vae2is x", "vae2is"),
        ("tlbi vmalls12e1is", "vmalls12e1is"),
        ("tlbi vae1os x", "vae1os"),
        ("msr ttbr1 = r1", "TTBR0"),
        ("hvc", "EL2"),
    ],
)
def test_what_is_known_and_not_modelled_is_called_that(text: str, what: str) -> None:
    with pytest.raises(Unsupported) as error:
        read(text)

    assert what in error.value.message
