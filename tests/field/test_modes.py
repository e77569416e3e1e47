"""What becomes of the linear map: real machines and made-up ones, each with its reason in words."""

from __future__ import annotations

from itertools import product

import pytest

from simbbm.field.described import described
from simbbm.field.modes import MODES, decide, linear_map
from simbbm.field.noabort import rules_of
from tests.field.machines import EVERY, JULY_2026, SEPTEMBER_2025, TABLES, decided, machine, modes

BEFORE = ("6.16", "6.17")
"""Kernels that never split: pages with rodata=full, whatever the CPUs."""


def by_list(september: str, july: str) -> list[str]:
    """Modes under every kernel: pages before 6.18, and then by list."""
    return ["pages"] * 2 + [september] * 5 + [july]


@pytest.mark.parametrize(
    ("why", "cores", "september", "july"),
    [
        (
            "AmpereOne is on every list since 6.18, all CPUs are alike: nobody minds a live split",
            ["AmpereOne r0p0", "AmpereOne r0p0"],
            "blocks",
            "blocks",
        ),
        (
            "Graviton4's V2 is on no list, and no V2 can have a BBM field of 3",
            ["Neoverse V2 r0p1", "Neoverse V2 r0p1"],
            "pages",
            "pages",
        ),
        (
            "X4 with A720 and A520, booted on a little core: the boot CPU asks for pages",
            ["Cortex-A520 r0p1", "Cortex-A720 r0p1", "Cortex-X4 r0p3"],
            "pages",
            "pages",
        ),
        (
            "the same, booted on its X4: blocks at first, and then A720 and A520 turn up",
            ["Cortex-X4 r0p3", "Cortex-A720 r0p1", "Cortex-A520 r0p1"],
            "repaint",
            "repaint",
        ),
        (
            "GB10 boots on an A725, which the list of July 2026 has, beside X925, which none has",
            ["Cortex-A725 r0p1", "Cortex-X925 r0p1"],
            "pages",
            "repaint",
        ),
        (
            "GB10, if it booted on an X925: that one asks for pages itself",
            ["Cortex-X925 r0p1", "Cortex-A725 r0p1"],
            "pages",
            "pages",
        ),
        (
            "C1 cores with an Ultra r1p0, which erratum 3683289 keeps off the list",
            ["C1-Pro r1p0", "C1-Ultra r1p0"],
            "pages",
            "repaint",
        ),
        (
            "C1 cores with an Ultra r1p1, which is on it like all others",
            ["C1-Pro r1p0", "C1-Ultra r1p1"],
            "pages",
            "blocks",
        ),
        (
            "a VM whose vCPU 0 was put on an A725 and another one on an X925: as on the metal",
            ["Cortex-A725 r0p1", "Cortex-X925 r0p1", "Cortex-A725 r0p1"],
            "pages",
            "repaint",
        ),
        (
            "an X4 one revision below the limit is as good as off the list",
            ["Cortex-X4 r0p2", "Cortex-X4 r0p2"],
            "pages",
            "pages",
        ),
        (
            "an X4 at the limit is on it",
            ["Cortex-X4 r0p3", "Cortex-X4 r0p3"],
            "blocks",
            "blocks",
        ),
        (
            "one X4 below the limit among others is a CPU that must not see a size change",
            ["Cortex-X4 r0p3", "Cortex-X4 r0p2"],
            "repaint",
            "repaint",
        ),
        (
            "a later variant is beyond any revision of an earlier one",
            ["Cortex-X4 r1p0", "Cortex-X4 r0p3"],
            "blocks",
            "blocks",
        ),
        (
            "V3AE before r0p2 has erratum 3053180: always break before make",
            ["Neoverse V3AE r0p2", "Neoverse V3AE r0p1"],
            "repaint",
            "repaint",
        ),
        (
            "a single CPU has nobody who could mind",
            ["Cortex-X4 r0p3"],
            "blocks",
            "blocks",
        ),
    ],
)
def test_mode_of_a_machine(why: str, cores: list[str], september: str, july: str) -> None:
    assert by_list(september, july) == modes(machine(*cores)), why


def test_why_gb10_repaints() -> None:
    repaint = decided(machine("Cortex-A725 r0p1", "Cortex-X925 r0p1"), "7.3")

    assert repaint.because == (
        "boots on Cortex-A725 r0p1, which is on the list; "
        "Cortex-X925 r0p1 is not on the list (BBM field 2)"
    )
    assert repaint.confidence == "verified"


def test_how_sure_an_answer_is_is_the_weakest_thing_that_it_rests_on() -> None:
    gb10 = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1")

    assert [decided(gb10, kernel).confidence for kernel in SEPTEMBER_2025] == [
        *("decoded", "inferred", "decoded", "inferred", "decoded")
    ]
    assert "inferred" == decided(machine("Neoverse V2 r0p1"), "7.3").confidence
    assert "inferred" == decided(machine("C1-Pro r0p0", "C1-Ultra r1p0"), "7.3").confidence
    assert "decoded" == decided(machine("C1-Pro r0p0", "C1-Ultra r1p1"), "7.3").confidence


def test_a_field_of_three_counts_where_the_kernel_reads_it() -> None:
    own = '[[cpu]]\nmidr = "0x410fff00"\nbbm = 3\n'
    one = described(own + own, "a test", TABLES)
    (kind,) = one.kinds()
    found = [decide(one, kind, rules_of(row, TABLES), TABLES) for row in TABLES.kernels.values()]

    assert by_list("pages", "blocks") == [decision.mode for decision in found]
    assert "is not on the list, but has a BBM field of 3" in found[-1].because


def test_an_unknown_core_is_off_the_list_and_its_field_is_not_guessed() -> None:
    text = (
        'boots = "Cortex-A725"\n[[cpu]]\ncore = "Cortex-A725 r0p1"\n[[cpu]]\nmidr = "0x410fff00"\n'
    )
    one = described(text, "a test", TABLES)
    new = decided(one, "7.3")

    assert ["pages"] * 5 == modes(one, SEPTEMBER_2025)
    assert ("unknown", ("blocks", "repaint"), "unknown") == (new.mode, new.possible, new.confidence)
    assert new.because == (
        "blocks or repaint (implementer 0x41 part 0xff0 r0p0 is not on the list, "
        "and its BBM field is not known)"
    )


def test_a_revision_that_is_not_known_is_not_guessed() -> None:
    new = decided(machine("Cortex-X4", "Cortex-A720"), "7.3")

    assert ("unknown", ("pages", "repaint")) == (new.mode, new.possible)
    assert "from r0p3 on, and its revision is not known" in new.because
    assert ["blocks"] * 2 == modes(machine("AmpereOne", "AmpereOne"), ("6.18", "7.3"))
    assert ["repaint"] == modes(machine("Cortex-A725", "Cortex-X925"), JULY_2026)


def test_a_late_cpu_without_it_is_refused_where_all_others_have_it() -> None:
    one = machine("Cortex-A725 r0p1", "Cortex-A725 r0p1", "late Cortex-X925 r0p1")
    refused = decided(one, "7.3")

    assert by_list("pages", "refused") == modes(one)
    assert "Cortex-X925 r0p1 is not on the list" in refused.because
    assert refused.because.endswith("is refused when it comes online (cpu_die_early)")


def test_a_late_cpu_is_let_in_where_some_early_one_lacks_it_already() -> None:
    one = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", "late Cortex-X925 r0p1")

    assert ["repaint"] == modes(one, JULY_2026)


def test_a_late_cpu_with_it_changes_nothing() -> None:
    one = machine("Cortex-A725 r0p1", "late Cortex-A725 r0p1")

    assert ["blocks"] == modes(one, JULY_2026)


def test_debug_pagealloc_means_pages_from_the_start() -> None:
    one = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", options={"debug_pagealloc": True})

    assert ["pages"] * len(EVERY) == modes(one)
    assert "debug_pagealloc is on" in decided(one, "7.3").because


def test_where_no_single_page_is_protected_blocks_stay_whatever_the_cpus() -> None:
    alone = {"rodata": "off", "kfence_can_set_direct_map": False, "realm": False}
    one = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", options=alone)

    assert ["blocks"] * len(EVERY) == modes(one)
    realm = alone | {"realm": True}
    assert ["pages"] == modes(machine("Cortex-X925 r0p1", options=realm), JULY_2026)
    assert ["repaint"] == modes(
        machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", options=realm), JULY_2026
    )


def test_a_word_of_rodata_that_kernels_read_in_two_ways_is_no_answer() -> None:
    own = {"rodata": "on", "kfence_can_set_direct_map": False, "realm": False}
    one = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", options=own)

    assert ["blocks"] * 2 + ["unknown"] * 6 == modes(one)
    assert ("blocks", "repaint") == decided(one, "7.3").possible
    assert "rodata=on" in decided(one, "7.3").because


def test_the_kernels_own_order_of_questions() -> None:
    """`linear_map` against the three ways in which the series' author tested it, and the rest."""
    facts = {"repaints": True, "single": True, "debug": False, "late": True}

    assert "blocks" == linear_map(boot=True, early=True, **facts)
    assert "pages" == linear_map(boot=False, early=True, **facts)
    assert "repaint" == linear_map(boot=True, early=False, **facts)
    assert "refused" == linear_map(boot=True, early=True, **facts | {"late": False})
    assert "repaint" == linear_map(boot=True, early=False, **facts | {"late": False})


def test_only_a_boot_cpu_that_may_and_another_that_may_not_repaint() -> None:
    for repaints, boot, early, late, single, debug in product((False, True), repeat=6):
        mode = linear_map(
            repaints=repaints, boot=boot, early=early, late=late, single=single, debug=debug
        )
        assert mode in MODES
        assert (mode == "repaint") == (repaints and boot and not early and single and not debug)
