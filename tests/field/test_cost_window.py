"""Windows: composed and run whole, more CPUs than are run, published figures, the command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simbbm.cli.commands.field.cost import _surveyed
from simbbm.core.choice import run_seed
from simbbm.core.errors import UsageError
from simbbm.field.cost.latencies import Setting
from simbbm.field.cost.model import Range, read_model
from simbbm.field.cost.published import TABLES, published
from simbbm.field.cost.tables import Blocks, Span, map_memory
from simbbm.field.cost.timed import (
    AT_ONCE,
    LAZY,
    PARTS,
    REVISITED,
    on_a_clock,
    timed_model,
    timed_run,
    timed_together,
)
from simbbm.field.cost.window import Estimator, Machine, Spread, spread, window_ms
from tests.cli.commandline import Cli

EXACT = read_model()._replace(jitter=0.0)


def test_a_composed_window_is_that_of_a_whole_run() -> None:
    """Several CPUs and a real granule at once, against parts of two runs."""
    estimator = Estimator(EXACT, runs=2)
    for number, machine in enumerate(EXACT.drawn(0, 2)):
        whole = timed_run(timed_model(LAZY, 5, "pmd+pmd", "4k"), machine, Setting(5, 4)).parts()
        found = estimator.window(Machine(Blocks(pmd=2), cpus=5)).runs[number]

        assert found["splitting"] == whole["splitting"]
        assert sum(found.values()) == pytest.approx(sum(whole.values()), rel=0.01)


@pytest.mark.quality
@pytest.mark.parametrize("cpus", [24, 32, 48])
def test_more_cpus_than_are_run_are_what_a_whole_run_of_them_is(cpus: int) -> None:
    estimator = Estimator(EXACT, runs=3)
    model = timed_model(LAZY, 16, "pmd", "scaled")
    model.setup = replace(model.scenario.build(**model.params | {"cpus": cpus}), properties=())
    more = model.on(on_a_clock)
    for number, machine in enumerate(EXACT.drawn(0, 3)):
        whole = timed_run(more, machine, Setting(cpus, 4), seed=run_seed(0, number)).parts()
        found = estimator.window(Machine(Blocks(pmd=1), cpus=cpus)).runs[number]
        assert whole["parking"] / 2 < found["parking"] < 2 * whole["parking"]
        for part in ("rendezvous", "flush", "release"):
            assert found[part] == pytest.approx(whole[part], rel=0.25)


def test_what_several_cpus_split_is_composed_as_one_run_of_it() -> None:
    estimator = Estimator(EXACT, runs=1)
    (machine,) = EXACT.drawn(0, 1)
    whole = timed_run(timed_together(4, 2, "4k"), machine, Setting(4, 4)).parts()["splitting"]
    shared = Machine(Blocks(pmd=2), cpus=4, splitters=2)
    alone = estimator.window(shared._replace(splitters=1)).runs[0]["splitting"]
    found = estimator.window(shared).runs[0]["splitting"]

    assert found == pytest.approx(whole, rel=0.05)
    assert found < 0.9 * alone


def test_low_and_high_leave_out_one_run_in_twenty() -> None:
    times = [10**9 * n for n in range(20, 0, -1)]

    assert spread(times) == Spread(2.0, 10.5, 19.0)
    assert spread(times[:3]) == Spread(18.0, 19.0, 20.0)


def test_splitting_grows_with_memory_and_with_nothing_else() -> None:
    estimator = Estimator(read_model(), runs=2)
    small, large, more = (
        estimator.window(Machine(Blocks(pud=pud), cpus=cpus))
        for pud, cpus in ((16, 2), (64, 2), (16, 4))
    )

    assert large.part("splitting").median == pytest.approx(4 * small.part("splitting").median, 1e-3)
    assert large.others == small.others
    assert small.others.median < more.others.median
    assert more.part("splitting") == small.part("splitting")


def test_beyond_the_cpus_that_are_run_parts_go_on_as_they_grew() -> None:
    estimator = Estimator(read_model(), runs=1)
    estimator._fixed = {
        (4, 0): dict.fromkeys(PARTS, 60) | {"parking": 1_000 + 4 * 4 * 7},
        (8, 0): dict.fromkeys(PARTS, 100) | {"parking": 1_000 + 8 * 8 * 7},
        (16, 0): dict.fromkeys(PARTS, 180) | {"flush": 90, "parking": 1_000 + 16 * 16 * 7},
    }
    run = estimator.window(Machine(Blocks(pud=1), cpus=64)).runs[0]

    assert run["parking"] == 1_000 + 64 * 64 * 7
    assert run["release"] == 180 + 48 * 10
    assert run["flush"] == 90


def test_what_ifs() -> None:
    estimator = Estimator(EXACT, runs=1)
    own = Machine(Blocks(pud=8), cpus=8)
    usual = estimator.window(own).whole.median
    listed = estimator.window(own._replace(preallocated=True)).whole.median
    shared = estimator.window(own._replace(splitters=4)).whole.median
    at_once = estimator.window(own._replace(protocol=AT_ONCE)).whole.median
    revisited = estimator.window(own._replace(protocol=REVISITED)).whole.median

    assert shared < usual / 3 < listed < usual < revisited < at_once


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (Machine(Blocks(pud=1), "16k"), "no level 1 blocks"),
        (Machine(Blocks()), "no RAM"),
        (Machine(Blocks(pud=1), cpus=1), "2 to 512"),
        (Machine(Blocks(pud=1), cpus=5000), "2 to 512"),
        (Machine(Blocks(pud=1), cpus=2, splitters=3), "3 of 2 CPUs"),
        (Machine(Blocks(pud=1), "4K"), "no page size"),
    ],
)
def test_machines_that_cannot_be_are_refused(machine: Machine, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Estimator(EXACT, runs=1).window(machine)


def test_published_figures_are_met_that_the_model_was_not_fitted_to() -> None:
    rows = published(Estimator(read_model(), 20))
    tables = next(row for row in rows if row.what == TABLES)
    painted = [row for row in rows if row.what == "painting"]

    assert all(abs(mib / tables.published - 1) < 0.03 for mib in tables.predicted)
    assert [row.met for row in painted] == 6 * [True]
    assert [row.fitted for row in painted].count(True) == 2
    slow = dict(EXACT.ranges) | {"fill_entry": Range(6_000, 7_000, 8_000, "wrong")}
    wrong = published(Estimator(EXACT._replace(ranges=slow), 3))
    assert not any(row.met for row in wrong if row.what == "painting")


def test_for_a_survey_an_estimate_is_one_call() -> None:
    low, median, high = window_ms([Span(0, 2 << 30)], "4k", 4, runs=3)

    assert 0.5 < low < median < high < 10
    assert map_memory([Span(0, 2 << 30)], "4k") == Blocks(pud=2)


def test_the_command_tells_a_machine(tmp_path: Path) -> None:
    simbbm = Cli(tmp_path)
    args = ("cost", "--ram", "2g", "--cpus", "4", "--runs", "1")
    text = simbbm.ok(*args)
    rows = simbbm.rows(*args, "--lacking", "1")

    assert text.splitlines()[:3] == [
        "2 GiB of RAM, 4k pages, 4 CPUs",
        "mapped by 2 pud",
        "1,026 tables more when split to pages: 4.0 MiB, exactly",
    ]
    assert all(len(line) <= 80 for line in text.splitlines())
    assert text == simbbm.ok(*args)
    assert [row["what_if"] for row in rows] == [
        None,
        "preallocation",
        "splitters=2",
        "splitters=3",
        AT_ONCE,
        REVISITED,
        "blocks-kept",
    ]
    assert (rows[0]["tables"], rows[0]["table_bytes"]) == (2 * 513, 2 * 513 * 4096)
    assert (rows[-1]["cpus"], rows[-1]["table_bytes"], rows[-1]["window_ms"]["high"]) == (3, 0, 0)


@pytest.mark.quality
def test_the_command_tells_growth(tmp_path: Path) -> None:
    simbbm = Cli(tmp_path)
    grown = simbbm.ok("cost", "--runs", "1", "--growth")

    assert "1024 GiB" in grown
    assert "192 CPUs" in grown
    assert "contpte at most" in grown
    assert max(map(len, grown.splitlines())) <= 80
    assert "…" not in grown
    assert len(simbbm.rows("cost", "--runs", "1", "--growth")) == 7 + 7 + 8 + 3 + 5


def test_a_machine_of_the_survey_can_be_asked_for() -> None:
    assert _surveyed("gb10", None, None) == ((Span(0, 128 << 30),), None, 20)
    assert _surveyed("gb10", "16k", 3)[1:] == ("16k", 3)


def test_the_command_tells_published_figures(tmp_path: Path) -> None:
    simbbm = Cli(tmp_path)
    told = simbbm.ok("cost", "--runs", "1", "--published")

    assert "504.1 MiB" in told
    assert max(map(len, told.splitlines())) <= 80
    assert "…" not in told
    assert len(simbbm.rows("cost", "--runs", "1", "--published")) == 13


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--ram", "262144g"), "262,144 GiB of addresses"),
        (("--ram", "12x"), "write 128g or 2g@0x80000000"),
        (("--ram", "1g@", "--ram", "1g"), "write 128g or 2g@0x80000000"),
        (("--ram", "1g", "--ram", "2g"), "two ranges of RAM overlap"),
        (("--ram", "2g@1g", "--ram", "2g@2g"), "two ranges of RAM overlap"),
        (("--ram", "2g@0xffffffffffff0000"), "addresses have up to 52 bits"),
        (("--ram", "2g", "--kernel", "32m@2g"), "--kernel is not in RAM"),
        (("--granule", "8k"), "'8k' is not one of"),
        (("--granule", "16k", "--blocks", "pud=1"), "no level 1 blocks"),
        (("--blocks", "pud=1,pug=2"), "no number of leaves"),
        (("--blocks", "pud=1", "--ram", "1g"), "leave out --ram"),
        (("--blocks", "pud=1000000000"), "more than 2 PiB"),
        (("--va-bits", "40"), "40-bit addresses"),
        (("--va-bits", "0"), "0-bit addresses"),
        (("--cpus", "1"), "1 CPU (a split waits for others: 2 to 512"),
        (("--cpus", "4", "--lacking", "4"), "the boot CPU has it"),
        (("--model", "none.toml"), "none.toml: cannot be read"),
        (("--machine", "gb10", "--ram", "1g"), "leave out --ram"),
        (("--machine", "gb11"), "did you mean gb10?"),
        (("--machine", "graviton4"), "nothing is known of its RAM"),
        (("--plot", "cost.gif"), "write .svg or .png"),
        (("--plot", "none/cost.svg", "--runs", "1"), "none/cost.svg"),
        (("--published", "--plot", "cost.svg"), "leave out --plot"),
        (("--published", "--machine", "gb10"), "--published is of other machines"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    refused = Cli(tmp_path)("cost", *args)

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
