"""A machine as parameters of a scenario."""

from __future__ import annotations

from typing import Any

import pytest

from simbbm import discovery
from simbbm.core.errors import UsageError
from simbbm.field import taken
from simbbm.field.described import described
from simbbm.field.machines import Machine
from simbbm.field.noabort import rules_of
from simbbm.field.scaled import Scaled, scaled
from simbbm.model import Model
from tests.field.machines import TABLES, machine

GOOD = "linear_map_split::good"


def on(one: Machine, kernel: str = "7.3", **more: Any) -> Scaled:
    """The parameters for a machine under a kernel."""
    return scaled(one, rules_of(TABLES.kernels[kernel], TABLES), TABLES, **more)


def gb10(**more: Any) -> Machine:
    """GB10, with a page size or without."""
    return taken.machine("gb10", TABLES)._replace(**more)


def test_gb10_is_one_cpu_of_each_kind_beside_the_one_that_boots() -> None:
    found = on(gb10(page_size=4096))

    assert found.params == {
        "cpus": "3",
        "noabort": "0,1",
        "cpu2": "errata=4118414",
        "geometry": "4k",
        "layout": "pmd",
    }
    assert found.told == (
        (
            "NVIDIA GB10 under 7.3 repaints: boots on Cortex-A725 r0p1, which is on the list; "
            "Cortex-X925 r0p1 is not on the list (BBM field 2)"
        ),
        (
            "its 20 CPUs stand as 3: cpu0 Cortex-A725 r0p1 boots and splits, "
            "cpu1 Cortex-A725 r0p1 may see it, cpu2 Cortex-X925 r0p1 must not see it"
        ),
        "its memory stands as one level 2 block of 4K pages; -p layout=... takes other leaves",
    )


@pytest.mark.parametrize(("size", "geometry"), [(16384, "16k"), (65536, "64k")])
def test_the_page_size_is_the_geometry(size: int, geometry: str) -> None:
    assert on(gb10(page_size=size)).params["geometry"] == geometry


def test_without_a_page_size_tables_are_scaled_and_that_is_said() -> None:
    found = on(gb10())

    assert not {"geometry", "layout"} & {*found.params}
    assert "page size is not known: scaled tables" in found.told[-1]


@pytest.mark.parametrize(
    ("cpus", "noabort"), [(3, "0,1"), (4, "0,1,2"), (5, "0,1,2"), (6, "0,1,2,3")]
)
def test_more_cpus_are_taken_from_each_kind_in_turn(cpus: int, noabort: str) -> None:
    assert (str(cpus), noabort) == tuple(
        on(gb10(), cpus=cpus).params[name] for name in ("cpus", "noabort")
    )


def test_a_core_of_which_nothing_is_known_must_not_see_a_split_and_that_is_said() -> None:
    text = 'boots = "Cortex-A725"\n[[cpu]]\ncore = "Cortex-A725 r0p1"\n'
    text += '[[cpu]]\ncore = "Cortex-X925 r0p1"\n[[cpu]]\nmidr = "0x990f0000"\n'
    found = on(described(text, "a test", TABLES))

    assert "0" == found.params["noabort"]
    assert (
        "part 0x0 r0p0 must not see it, to be on the safe side: that is not known" in found.told[1]
    )


def test_a_kind_that_is_alone_beside_the_boot_cpu_is_there_twice_if_the_machine_has_two() -> None:
    pair = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1")
    three = machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", "Cortex-X925 r0p1")

    assert ("2", "0") == (on(pair).params["cpus"], on(pair).params["noabort"])
    assert ("3", "0") == (on(three).params["cpus"], on(three).params["noabort"])


def test_a_level_that_was_read_is_the_levels_of_the_model() -> None:
    found = on(machine("Cortex-A725 r0p1", "Cortex-A55 r2p0"))

    assert "bbm=0" == found.params["cpu1"]


def test_a_late_cpu_is_left_out_and_that_is_said() -> None:
    found = on(machine("Cortex-A725 r0p1", "Cortex-X925 r0p1", "late Cortex-A55 r2p0"))

    assert "2" == found.params["cpus"]
    assert "those that come late are left out" in found.told[1]


def test_for_every_number_of_cpus_others_are_taken_for_the_weakest() -> None:
    found = on(gb10(page_size=4096), every=True)

    assert {"noabort": "boot", "geometry": "4k", "layout": "pmd"} == found.params
    assert "which is stricter" in found.told[1]


@pytest.mark.parametrize("size", [None, 4096])
def test_the_scenario_takes_them(size: int | None) -> None:
    model = Model(discovery.find(GOOD), on(gb10(page_size=size)).params)
    features = [cpu.features for cpu in model.setup.cpus]

    assert [True, True, False] == [one.noabort for one in features]
    assert [(), (), ("4118414",)] == [one.errata for one in features]
    assert [2, 2, 2] == [one.bbm for one in features]


@pytest.mark.parametrize(
    ("one", "kernel", "said"),
    [
        (gb10(), "7.2", "NVIDIA GB10 does not repaint under 7.2: boots on Cortex-A725 r0p1"),
        (machine("AmpereOne r0p0"), "7.3", "does not repaint under 7.3: boots on AmpereOne r0p0"),
        (machine("Cortex-X4", "Cortex-A720"), "7.3", "is not known to repaint under 7.3: pages or"),
        (gb10(boots=None), "7.3", "which core boots is not known"),
    ],
)
def test_where_nothing_is_repainted_there_is_nothing_to_look_at(
    one: Machine, kernel: str, said: str
) -> None:
    with pytest.raises(UsageError) as error:
        on(one, kernel)

    assert said in error.value.message


@pytest.mark.parametrize(
    ("cpus", "said"), [(2, "2 CPUs cannot stand for"), (21, "NVIDIA GB10 has 20 CPUs at boot")]
)
def test_a_number_of_cpus_that_cannot_be(cpus: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        on(gb10(), cpus=cpus)


def test_any_core_will_do_if_all_are_alike_and_none_repaints() -> None:
    one = described('[[cpu]]\ncore = "AmpereOne r0p0"\ncount = 4\n', "a test", TABLES)

    with pytest.raises(UsageError, match="does not repaint"):
        on(one)
