"""Layouts and features of one's own, by parameters: nobody edits the package for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simbbm import Features, UsageError, Verdict, discovery, explore
from simbbm.explore.counterexample.simplest import simplest
from simbbm.linux.layout import LAYOUTS
from simbbm.model import Model
from tests.cli.commandline import Cli

GOOD = discovery.find("linear_map_split::good")
TWO = {"cpus": 2}


def own(**params: Any) -> Model:
    """The merged protocol on two CPUs, with other parameters."""
    return Model(GOOD, TWO | params)


def test_a_layout_of_ones_own_is_its_parts_in_order() -> None:
    regions = own(layout="pmd+contpte+pmd").setup.regions

    assert [("lm.pmd", 2), ("lm.contpte", 2), ("lm.pmd2", 2)] == [
        (r.name, r.pages) for r in regions[:3]
    ]


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "pud39"])
def test_a_named_layout_is_the_one_of_its_parts(name: str) -> None:
    named, parts = own(layout=name).setup, own(layout="+".join(LAYOUTS[name])).setup

    assert named.tables == parts.tables
    assert (named.regions, named.symbols) == (parts.regions, parts.symbols)


def test_what_holds_on_named_layouts_holds_on_others() -> None:
    answer = explore(GOOD, TWO | {"layout": "pmd+pages+pmd"})
    assert (Verdict.PROVED, "pmd+pages+pmd") == (answer.verdict, answer.params["layout"])

    broken = explore("linear_map_split::m09_no_tlbi", TWO | {"layout": "pmd+hole+pages"})
    assert "no_size_change_seen" == broken.property


@pytest.mark.parametrize(
    ("given", "features"),
    [
        ({"cpu1": "bbm=3"}, Features(bbm=3)),
        ({"cpu1": "ets2,noabort"}, Features(bbm=2, ets2=True, noabort=True)),
        ({"cpu1": "conflict=amalgam,tlb=2"}, Features(2, conflict="amalgam", tlb=2)),
        ({"cpu1": "bbm=0", "ets2": "yes"}, Features(0, ets2=True)),
        ({"cpu1": Features(bbm=1, ets2=True)}, Features(bbm=1, ets2=True)),
        ({"cpu1": "errata=4193714+4118414"}, Features(2, errata=("4118414", "4193714"))),
        ({"cpu1": Features(2, errata=("4118414",))}, Features(2, errata=("4118414",))),
        ({"cpu1": ""}, Features(bbm=2)),
    ],
)
def test_a_cpu_has_the_features_that_are_asked_for(given: Any, features: Features) -> None:
    model = own(**given)

    assert features == model.setup.cpus[1].features
    assert Features(bbm=2, noabort=True, ets2="ets2" in given) == model.setup.cpus[0].features
    assert model.setup.cpus == Model(GOOD, model.params).setup.cpus


def test_the_boot_cpu_may_not_split_live_without_noabort() -> None:
    broken = explore(GOOD, TWO | {"layout": "pmd", "cpu0": "noabort=no"})
    assert ("no_size_change_seen", "noabort=no") == (broken.property, broken.params["cpu0"])

    assert explore(GOOD, TWO | {"layout": "pmd", "cpu0": "noabort=no,bbm=3"}).expected


def test_a_twin_has_them_as_defaults() -> None:
    fails = "VIOLATED:no_size_change_seen"
    twin = GOOD.twin("x", expect=fails, cpu0="noabort=no", layout="pmd+pages")

    assert not Model(twin, TWO).setup.cpus[0].features.noabort
    assert Model(twin, TWO | {"cpu0": ""}).setup.cpus[0].features.noabort
    assert Model(twin, Model(twin, TWO | {"cpu0": ""}).params).setup.cpus[0].features.noabort


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"layout": "pmd+pgaes"}, "layout=pmd.pgaes: not allowed .layout is pmd|"),
        ({"layout": "pmd+"}, "layout=pmd.: not allowed"),
        ({"layout": "+".join(["pmd"] * 17)}, "not allowed"),
        ({"layout": "text+pmd"}, "begins with 0 that are mapped and writable .let it begin"),
        ({"layout": "pages+hole+pud+pud+pud"}, "the tables need 3 pages, and it begins with 2"),
        ({"layout": "pmd+text+text"}, "the kernel has one text .write pmd in place"),
        ({"layout": "pud", "geometry": "16k"}, "the 16k granule has no level 1 blocks"),
        ({"cpu1": "nobort"}, "cpu1=nobort: there is no feature nobort .did you mean noabort"),
        ({"cpu1": "bbm=4"}, "bbm=4 is not allowed .write bbm=0..3"),
        ({"cpu1": "bbm"}, "bbm is not allowed .write bbm=0..3"),
        ({"cpu1": "ets2=maybe"}, "ets2=maybe is not allowed .write ets2"),
        ({"cpu1": 3}, "there is no feature 3"),
        ({"cpu2": "ets2"}, "cpu2=ets2: there is no cpu2 .the last is cpu1"),
        ({"cpu01": "ets2"}, "has no parameter cpu01"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(given: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        own(**given)


def test_the_command_line_has_them_too_and_witnesses_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    simbbm = Cli(tmp_path)
    given = ("-p", "layout=pmd+pages", "-p", "cpu1=ets2", "-p", "cpus=2")

    row = simbbm.row("explore", "linear_map_split::m09_no_tlbi", *given, code=0)
    assert ("pmd+pages", "ets2") == (row["params"]["layout"], row["params"]["cpu1"])
    assert "REPRODUCED" == simbbm.row("replay", row["witness"])["result"]
    told = simbbm.refused("run", "linear_map_split::good", "-p", "layout=pmd", "-p", "cpu3=ets2")
    assert "there is no cpu3 (the last is cpu2)" in told


@pytest.mark.parametrize("still_fails", [True, False])
def test_shrinking_makes_them_simpler_where_that_fails_too(*, still_fails: bool) -> None:
    """First the other parameters; then a named layout, and a CPU as the scenario has it."""
    model = own(layout="pmd+contpte+pages", cpu1="ets2")

    def steps_to(candidate: Model) -> int | None:
        return 1 if still_fails or candidate.params.get("cpu1") == "ets2" else None

    params = simplest(model, steps_to).params
    assert (None if still_fails else "ets2") == params.get("cpu1")
    assert params["layout"] in LAYOUTS
