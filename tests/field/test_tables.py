"""The tables agree with each other, with what images are decoded by, and with what is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simbbm.binary.features.midr import MODELS, MidrRange
from simbbm.core.errors import UsageError
from simbbm.field import taken
from simbbm.field.known import known, series
from simbbm.field.machines import Kind
from simbbm.field.noabort import noabort, rules_of, rules_of_image
from simbbm.field.revisions import Revision, midr_from, revision_from
from tests.field.machines import EVERY, SEPTEMBER_2025, TABLES

ARM, AMPERE, NVIDIA = 0x41, 0xC0, 0x4E
ALL = Revision(0, 0)
SEPTEMBER = {
    (ARM, 0xD82): Revision(0, 3),
    (ARM, 0xD84): Revision(0, 2),
    (ARM, 0xD83): Revision(0, 2),
    (NVIDIA, 0x010): ALL,
    (AMPERE, 0xAC3): ALL,
    (AMPERE, 0xAC4): ALL,
}
"""Decoded from the images of 6.18.5, 7.0.4 and 7.2.13: model, and first revision."""
JULY = SEPTEMBER | {
    **dict.fromkeys([(ARM, part) for part in (0xD88, 0xD4D, 0xD89, 0xD87, 0xD8E)], ALL),
    **dict.fromkeys([(ARM, part) for part in (0xD8A, 0xD8B)], ALL),
    **dict.fromkeys([(ARM, part) for part in (0xD8C, 0xD90)], Revision(1, 1)),
}
"""Decoded from 7.3-rc7 and 7.3.4."""
FIELDS = {
    **dict.fromkeys(("Cortex-A55", "Cortex-A76", "Neoverse N1", "A64FX"), 0),
    **dict.fromkeys(("Cortex-A710", "Neoverse V1", "Neoverse N2"), 2),
    **dict.fromkeys(("Cortex-X925", "Cortex-A725"), 2),
    **dict.fromkeys(("Neoverse V3", "Neoverse V3AE"), 2),
    **dict.fromkeys(("Apple M1 Icestorm", "Apple M1 Firestorm", "Qualcomm Oryon"), 0),
}
"""BBM fields that somebody has read and posted."""
REPEATS_TLBI = {
    *("Cortex-A76", "Cortex-A77", "Cortex-A78", "Cortex-A710", "Cortex-X1", "Cortex-X2"),
    *("Cortex-X3", "Cortex-X4", "Cortex-X925", "Neoverse N1", "Neoverse N2", "Neoverse V1"),
    *("Neoverse V2", "Neoverse V3", "Neoverse V3AE", "C1-Ultra", "C1-Premium", "NVIDIA Olympus"),
}
"""Cores with erratum 4118414."""


def listed(kernel: str) -> dict[tuple[int, int], Revision]:
    """A kernel's list: models with the first revision."""
    return {r.model: r.first for r in rules_of(TABLES.kernels[kernel], TABLES).ranges}


def test_lists_are_those_of_shipped_kernels() -> None:
    assert all(listed(kernel) == SEPTEMBER for kernel in SEPTEMBER_2025)
    assert JULY == listed("7.3")
    assert {(ARM, 0xD82): Revision(0, 3), (ARM, 0xD84): Revision(0, 2)} == listed("6.17")
    assert {} == listed("6.16")


def test_what_kernels_do() -> None:
    rows = TABLES.kernels.values()

    assert ("6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3") == EVERY
    assert [row.version for row in rows if not row.repaints] == ["6.16", "6.17"]
    assert {row.version: row.field for row in rows if row.field} == {"7.3": 3}
    assert [row.capability for row in rows] == [None, *["BBML2_NOABORT"] * 6, "BBML3"]
    assert {row.decoded for row in rows} == {None, "6.18.5", "7.0.4", "7.2.13", "7.3.4"}


def test_x925_is_on_no_list_and_a725_on_the_last() -> None:
    x925, a725 = (TABLES.core(name) for name in ("Cortex-X925", "Cortex-A725"))
    assert x925
    assert a725

    assert [kernel for kernel in EVERY if x925.model in listed(kernel)] == []
    assert [kernel for kernel in EVERY if a725.model in listed(kernel)] == ["7.3"]


def test_fields_are_those_that_were_read_and_no_others() -> None:
    assert FIELDS == {c.name: c.bbm for c in TABLES.cores.values() if c.bbm is not None}


def test_what_is_not_known_of_a_core_has_a_bound_with_a_reason() -> None:
    unread = [core for core in TABLES.cores.values() if core.bbm is None]

    assert unread
    assert all(core.bbm_below is not None and core.source for core in unread)
    assert {c.name for c in unread if c.confidence == "verified"} == {"AmpereOne", "AmpereOne A"}


def test_errata() -> None:
    has = {c.name: {e.number: e.fixed for e in c.errata} for c in TABLES.cores.values()}

    assert REPEATS_TLBI == {name for name, errata in has.items() if 4118414 in errata}
    assert {n: e[3683289] for n, e in has.items() if 3683289 in e} == {
        "C1-Ultra": "r1p1",
        "C1-Premium": "r1p1",
    }
    assert {n: e[3053180] for n, e in has.items() if 3053180 in e} == {"Neoverse V3AE": "r0p2"}


def test_images_are_decoded_with_the_same_names() -> None:
    assert MODELS.items() <= {core.model: core.name for core in TABLES.cores.values()}.items()


@pytest.mark.parametrize(
    ("soc", "cores", "boots"),
    [
        ("gb10", {"Cortex-A725", "Cortex-X925"}, "Cortex-A725"),
        ("tensor-g4", {"Cortex-X4", "Cortex-A720", "Cortex-A520"}, "Cortex-A520"),
        ("mt8196", {"Cortex-X4", "Cortex-X925", "Cortex-A720"}, "Cortex-A720"),
        ("graviton4", {"Neoverse V2"}, "Neoverse V2"),
        ("grace", {"Neoverse V2"}, "Neoverse V2"),
        ("dimensity-9500", {"C1-Ultra", "C1-Premium", "C1-Pro"}, "C1-Pro"),
    ],
)
def test_socs(soc: str, cores: set[str], boots: str) -> None:
    row = TABLES.socs[soc]

    assert (cores, boots) == ({one.core for one in row.cores}, row.boots)


def test_a_guess_is_never_sure() -> None:
    assert all(row.confidence == "inferred" for row in TABLES.socs.values() if not row.complete)
    assert all(
        row.confidence == "inferred"
        for row in TABLES.kernels.values()
        if row.repaints and not row.decoded
    )


# Images.


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("supports_bbml2_noabort_list", None, [False, True, False]),
        ("supports_bbml3_list.0", 3, [False, True, True]),
        (None, None, [False, False, False]),
    ],
)
def test_an_image_goes_by_its_own_list(
    name: str | None, field: int | None, values: list[bool]
) -> None:
    """An X4 r0p2 and r0p3, and a core whose BBM field is 3, which an old kernel does not ask."""
    listed = (name, [MidrRange(0x410FD820, 0x3, 0xF0000F)]) if name else None
    version = SimpleNamespace(release="7.3.4-test")
    image: Any = SimpleNamespace(image=SimpleNamespace(version=version), allowed=listed)
    rules = rules_of_image(Path("vmlinuz"), image, TABLES)
    x4 = (ARM, 0xD82)
    kinds = [Kind(x4, Revision(0, 2)), Kind(x4, Revision(0, 3)), Kind((ARM, 0xFFF), ALL, bbm=3)]

    assert ("7.3.4-test", field, "decoded") == (rules.kernel, rules.field, rules.confidence)
    assert values == [noabort(kind, rules, TABLES).value for kind in kinds]


# Revisions.


def test_revisions_are_in_order() -> None:
    told = ["r0p0", "r0p2", "r0p15", "r1p0", "r15p15"]
    read = [revision_from(text) for text in told]

    assert told == [*map(str, sorted(r for r in read if r))]
    assert [None] * 4 == [revision_from(t) for t in ("r0", "r16p0", "0p3", "r0p3x")]


def test_midr_in_parts() -> None:
    assert midr_from(0x411FD8C1) == (0x41, 0xD8C, (1, 1))
    assert [None] * 4 == [midr_from(bits) for bits in (0, -1, 1 << 32, 0x00FFFFFF)]


def test_a_release_in_parts() -> None:
    assert [(6, 18), (7, 3)] == [series("6.18.5-arm64"), series("7.3-rc7")]
    assert [None] * 3 == [series(text) for text in ("", "6", "six.eighteen")]


# Rows of one's own.

MINE = """
[[core]]
name = "Mine"
implementer = 0x51
part = 0x123
bbm = 2
confidence = "verified"
source = "its ID register"

[[list]]
name = "mine"
entries = [{ core = "Mine", from = "r1p0" }]
confidence = "verified"
source = "a patch"

[[kernel]]
version = "7.4"
list = "mine"
repaints = true
rodata = { full = true }
confidence = "verified"
source = "a patch"

[[soc]]
id = "mine"
name = "Mine"
cores = [{ core = "Mine", count = 4 }]
confidence = "verified"
source = "mine"
"""


def test_rows_can_be_added(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    found = known(file)
    rules = rules_of(found.kernels["7.4"], found)
    answers = [
        noabort(Kind((0x51, 0x123), Revision(*r)), rules, found).value for r in ((0, 9), (1, 0))
    ]

    assert (*EVERY, "7.4") == tuple(found.kernels)
    assert [False, True] == answers
    assert "7.4" not in known().kernels


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("0x51", "0x41\npart_ = 1", "unknown field `part_`"),
        ('name = "Mine"', 'name = "Cortex-X925"', "two cores are called Cortex-X925"),
        (
            "implementer = 0x51\npart = 0x123",
            "implementer = 0x41\npart = 0xd85",
            "is there already",
        ),
        ('"7.4"', '"7.3"', "kernel 7.3 is there already, and differs"),
        ('"7.4"', '"next"', "a version is written 6.18"),
        ('core = "Mine"', 'core = "Nine"', "there is no core Nine"),
        ('"r1p0"', '"1.0"', "1.0 is no revision"),
        ('from = "r1p0"', 'from = "r1p0", erratum = 1', "not free of erratum 1 from r1p0 on"),
        ('list = "mine"', 'list = "yours"', "there is no list yours"),
        ("bbm = 2", "bbm = 2\nbbm_below = 3", "with bbm there is no bbm_below"),
        ("part = 0x123", "part = 0x1234", "no such implementer or part"),
        ('"verified"', '"sure"', "Invalid enum value 'sure'"),
        ("bbm = 2", "bbm = ", "not TOML"),
        ("count = 4", "count = -3", "Expected `int` >= 1"),
        ('cores = [{ core = "Mine", count = 4 }]', "cores = []", "Expected `array` of length >= 1"),
        ("bbm = 2", f"bbm = {'9' * 5000}", "not TOML"),
    ],
)
def test_rows_that_are_wrong_are_refused_in_one_line(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace(before, after, 1))

    with pytest.raises(UsageError, match=r"mine\.toml") as error:
        known(file)
    assert said in error.value.message
    assert "\n" not in error.value.message


def test_a_soc_of_too_many_cpus_is_refused_before_they_are_made(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE.replace("count = 4", f"count = {10**15}"))

    with pytest.raises(UsageError, match="mine: more than 4,096 CPUs"):
        taken.machine("mine", known(file))
