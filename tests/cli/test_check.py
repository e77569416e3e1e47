"""`simbbm check` and `simbbm stress`: verdicts against expectations, and what a sample may say."""

import json
from pathlib import Path

import msgspec
import pytest

from simbbm import discovery
from simbbm.campaign.stress import StressRequest, StressResult, stress
from simbbm.cli.commands.check import SAMPLE_IS_NO_PROOF, _chosen
from simbbm.cli.exits import PRECEDENCE, Exit, worst
from tests.cli.commandline import Cli

FEW = ("--runs", "100", "-j", "1")
SAMPLE = (*FEW, "--max-states", "1")
"""Too many states for a search, and few runs."""


def test_of_several_exit_codes_one_wins() -> None:
    order = [130, 5, 2, 1, 4, 3, 0]

    assert order == list(PRECEDENCE)
    for n, code in enumerate(PRECEDENCE):
        assert worst(PRECEDENCE[n:][::-1]) is code
    assert worst([]) is Exit.EXPECTED


def test_check_of_good_ones_and_bad_twins(simbbm: Cli) -> None:
    rows = simbbm.rows("check", "bbm_minimal")

    assert {
        "bbm_minimal::good": ("PROVED", True, None, None),
        "bbm_minimal::live_change": ("VIOLATED", True, 5, True),
        "bbm_minimal::live_change_noabort": ("PROVED", True, None, None),
        "bbm_minimal::no_invalidation": ("VIOLATED", True, 9, True),
    } == {r["scenario"]: (r["verdict"], r["expected"], r["length"], r["certified"]) for r in rows}
    assert {"explore"} == {r["mode"] for r in rows}
    assert all(r["witness"] for r in rows if r["verdict"] == "VIOLATED")
    assert all(r["states"] > 10 and r["runs"] is None for r in rows)


@pytest.mark.parametrize(
    "more",
    [pytest.param((), marks=pytest.mark.quality), ("--max-states", "200", "--runs", "20")],
)
def test_the_number_of_searches_side_by_side_changes_nothing(
    simbbm: Cli, more: tuple[str, ...]
) -> None:
    """With few states, some are proved and some sampled; witnesses are the same files."""
    names = ("good", "m10_no_dsb_after_tlbi", "m02_no_cpu0_test", "m30_no_sevl")
    ids = [f"linear_map_split::{name}" for name in names] + ["bbm_minimal"]

    def told(jobs: str) -> list[dict[str, object]]:
        found = simbbm("check", *ids, *more, "-j", jobs, "--json").stdout.splitlines()
        return [{k: v for k, v in json.loads(row).items() if k != "seconds"} for row in found]

    alone = told("1")

    assert ids[:-1] == [row["scenario"] for row in alone[:4]]
    assert 8 == len(alone)
    assert alone == told("3")


def test_what_has_too_many_states_is_sampled(simbbm: Cli) -> None:
    rows = simbbm.rows("check", "bbm_minimal", *SAMPLE, code=3)

    assert {
        "bbm_minimal::good": ("SAMPLED", True, 100),
        "bbm_minimal::live_change": ("VIOLATED", True, 1),
        "bbm_minimal::live_change_noabort": ("SAMPLED", True, 100),
        "bbm_minimal::no_invalidation": ("VIOLATED", True, 1),
    } == {r["scenario"]: (r["verdict"], r["expected"], r["runs"]) for r in rows}
    assert {"sample"} == {r["mode"] for r in rows}


def test_a_sample_is_never_worded_as_a_proof(simbbm: Cli) -> None:
    """Where a proof is claimed, or asked for, it is not enough."""
    shown = simbbm.ok("check", "linear_map_split::good", "-p", "cpus=2", *SAMPLE)

    assert "ok    good  SAMPLED" in shown
    assert SAMPLE_IS_NO_PROOF in shown
    assert "PROVED" not in shown
    assert "A proof was required." in simbbm.ok(
        "check", "linear_map_split::good", "-p", "cpus=2", *SAMPLE, "--require-proof", code=3
    )
    assert "?     good  SAMPLED" in simbbm.ok("check", "bbm_minimal::good", *SAMPLE, code=3)


def test_a_caught_twin_needs_no_proof(simbbm: Cli) -> None:
    result = simbbm("check", "bbm_minimal::live_change", *FEW, "--require-proof")

    assert (0, "") == (result.exit_code, result.stderr)


def test_without_ids_the_merged_protocol_and_all_its_twins() -> None:
    chosen = [s.id for s in _chosen((), {}, everything=False, twins=False)]
    good = "linear_map_split::good"

    assert chosen[0] == good
    assert chosen[1:] == [twin.id for twin in discovery.twins_of(discovery.find(good))]


def test_twins_come_along_if_asked(simbbm: Cli) -> None:
    alone = simbbm.rows("check", "bbm_minimal::good", *FEW)
    together = simbbm.rows("check", "bbm_minimal::good", "--twins", *FEW)

    assert (1, 4) == (len(alone), len(together))


def test_an_unexpected_counterexample_is_shown_in_columns(simbbm: Cli) -> None:
    shown = simbbm.ok(
        "check", "linear_map_split::good", "-p", "noabort=none", *FEW, code=1, COLUMNS="110"
    )

    assert "FAIL  good  VIOLATED:no_size_change_seen" in shown
    assert "0 of 1 as expected, 1 NOT as expected." in shown
    assert " step  cpu0                              cpu1 " in shown
    *_, here, anywhere = shown.splitlines()
    assert "REPRODUCED" in simbbm.ok(*here.partition("replay with: simbbm ")[2].split())
    simbbm.ok(*anywhere.partition("on any machine, as a page: simbbm ")[2].split())
    assert Path("run.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_twin_that_is_not_caught_is_unexpected(simbbm: Cli) -> None:
    given = ("check", "linear_map_split::m11_no_isb_before_tlbi", "-p", "hardware=eager", *FEW)
    shown = simbbm.ok(*given, code=1)

    assert "VIOLATED:no_size_change_seen was expected and not found." in shown
    assert "0 of 1 as expected, 1 NOT as expected." in shown


def test_a_parameter_that_a_named_scenario_lacks_is_an_error(simbbm: Cli) -> None:
    refused = simbbm.refused("check", "linear_map_split::good", "bbm_minimal::good", "-p", "cpus=2")

    assert refused.startswith("bbm_minimal::good has no parameter cpus")


def test_of_all_scenarios_those_that_have_a_parameter_take_it(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simbbm.ok("new", "mine.py")
    mine = discovery.select([str(tmp_path / "mine.py")])
    monkeypatch.setattr(discovery, "shipped", lambda: mine + discovery.select(["bbm_minimal"]))

    rows = simbbm.rows("check", "--all", "-p", "readers=2", *FEW)

    assert [2, 2, None, None] == [r["params"].get("readers") for r in rows[:4]]


def test_an_edit_that_matches_no_step_is_an_error(simbbm: Cli, mine: Path) -> None:
    mine.write_text(mine.read_text().replace('["move.tlbi.vaae1is"]', '["move.tlbi.vae1is"]'))

    result = simbbm("check", mine, *FEW)

    assert result.exit_code == 2
    assert "ok    good     PROVED" in result.stdout
    assert "ERR   no_tlbi  error in the scenario" in result.stdout
    assert (
        f"simbbm: {mine}::no_tlbi drops move.tlbi.vae1is, but no step is called that "
        "(nearest: move.tlbi.vaae1is)"
    ) in result.stderr


def test_a_replacement_of_what_nobody_calls_is_an_error(simbbm: Cli, mine: Path) -> None:
    idle = "\n\n@routine\nasync def idle(cpu: Cpu) -> None:\n    await cpu.nop()\n"
    twin = '\nother = good.twin("x", expect="HOLDS", replace={idle: idle})\n'
    mine.write_text(mine.read_text() + idle + twin)

    error = simbbm.rows("check", f"{mine}::other", *FEW, code=2)[0]

    assert error["type"] == "error"
    assert error["message"].endswith("replaces simbbm_user.mine.idle, but nothing calls it")


@pytest.mark.parametrize(
    "name", ["good", "m16_m21_release_unpublished", "m20_populate_before_fill"]
)
def test_edits_that_a_run_may_not_reach_are_no_error(simbbm: Cli, name: str) -> None:
    """They fail before their later edits have anything to do; a run may also miss the step."""
    result = simbbm("check", f"linear_map_split::{name}", "--runs", "50", "-j", "1")

    assert (0, "") == (result.exit_code, result.stderr)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_authors_mistake_does_not_stop_the_others(simbbm: Cli, mine: Path, jobs: str) -> None:
    mine.write_text(mine.read_text().replace("await cpu.ldr(X)", "cpu.ldr(X)"))

    result = simbbm("check", f"{mine}::good", "bbm_minimal::good", "-j", jobs)

    assert result.exit_code == 2
    assert "ldr was created but not awaited" in result.stderr
    assert "ok    good  PROVED" in result.stdout
    assert "1 of 2 as expected, 1 with an error in the scenario." in result.stdout


def test_stress_stops_at_the_first_failure_or_counts_all(simbbm: Cli) -> None:
    first = simbbm.row("stress", "bbm_minimal::no_invalidation", *FEW)
    every = simbbm.row("stress", "bbm_minimal::no_invalidation", *FEW, "--stop", "never")

    assert (1, 100) == (first["failures"], every["runs"])
    assert every["failures"] > 1
    same = ("first_failure", "digest", "witness", "token", "verdict", "length")
    assert [first[k] for k in same] == [every[k] for k in same]


def test_the_witness_is_that_of_the_first_failure(simbbm: Cli) -> None:
    twin = "linear_map_split::m07_count_before_switch"
    row = simbbm.row("stress", twin, *FEW, "--strategy", "random")

    assert row["first_failure"] > 0
    assert row["digest"] == simbbm.row("replay", row["witness"])["digest"]


def test_stress_depends_on_the_seed_and_not_on_jobs(simbbm: Cli) -> None:
    def row(*args: str) -> dict[str, object]:
        found = simbbm.row("stress", "bbm_minimal::good", "--runs", "200", *args)
        return {k: v for k, v in found.items() if k != "seconds"}

    assert row("-j", "1") == row("-j", "2")
    assert row("-j", "1")["digest"] != row("-j", "1", "--seed", "1")["digest"]


def test_counts_and_durations(simbbm: Cli) -> None:
    assert simbbm.row("stress", "bbm_minimal::good", "--runs", "1k")["runs"] == 1000
    timed = simbbm.row("stress", "bbm_minimal::good", "--time", "0.5s", "-j", "1")
    assert ("SAMPLED", None) == (timed["verdict"], timed["runs_requested"])


def test_time_before_the_runs_that_were_asked_for_is_inconclusive(simbbm: Cli) -> None:
    given = ("--runs", "2m", "--time", "0.5s", "-j", "1")
    row = simbbm.row("stress", "bbm_minimal::good", *given, code=3)

    assert ("INCONCLUSIVE", None, 2_000_000) == (
        row["verdict"],
        row["expected"],
        row["runs_requested"],
    )
    assert f"only {row['runs']:,} of 2,000,000 runs were done" == row["message"]


def test_runs_that_reach_max_steps_are_inconclusive(simbbm: Cli) -> None:
    row = simbbm.row("stress", "bbm_minimal::good", *FEW, "--max-steps", "5", code=3)

    assert "100 runs reached max_steps=5" == row["message"]


def test_an_interrupted_campaign_says_what_it_has(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(request: StressRequest, *_: object) -> StressResult:
        result = stress(msgspec.structs.replace(request, runs=10))
        changes = {"verdict": "INCONCLUSIVE", "message": "interrupted", "interrupted": True}
        return msgspec.structs.replace(result, **changes)

    monkeypatch.setattr("simbbm.campaign.stress.stress", interrupted)

    shown = simbbm.ok("check", "bbm_minimal", *SAMPLE, code=130)

    assert "?     good                 INCONCLUSIVE" in shown
    assert "live_change" not in shown
    assert "0 of 4 as expected, interrupted, 4 not finished." in shown
    assert simbbm.row("stress", "bbm_minimal", *FEW, code=130)["message"] == "interrupted"


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_progress_goes_to_stderr(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    monkeypatch.setattr("simbbm.cli.logs.SECONDS_BETWEEN_LINES", 0.0)

    result = simbbm("stress", "bbm_minimal::good", *FEW, "--log-format", log_format)

    assert "sampling" not in result.stdout
    said = result.stderr.splitlines()[0]
    assert ('"event": "sampling"' if log_format == "json" else "sampling  ") in said


def test_of_several_edits_one_may_have_nothing_to_change(simbbm: Cli) -> None:
    """A layout without level 1 blocks has no split_pud(); one without blocks has neither."""
    twin = "linear_map_split::m20_populate_before_fill"
    row = simbbm.row("explore", twin, "-p", "cpus=2", "-p", "layout=pmd")
    assert ("VIOLATED", True) == (row["verdict"], row["expected"])

    error = simbbm.row("explore", twin, "-p", "cpus=2", "-p", "layout=pages", code=2)
    assert error["message"].endswith("split_pmd, but nothing calls it with these parameters")


def test_a_typo_among_several_edits_is_an_error_with_any_parameters(
    simbbm: Cli, mine: Path
) -> None:
    mine.write_text(mine.read_text().replace('["move.tlbi', '["move.nothing", "move.tlbi'))

    error = simbbm.row("explore", f"{mine}::no_tlbi", "-p", "readers=2", code=2)

    assert error["message"].endswith("drops move.nothing, but no step is called that")
