"""Plans: what they mean, and what is wrong with them, in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simbbm.campaign.stored.plan import Planned, parsed, planned, read_plan
from simbbm.core.errors import UsageError


def plan(text: str) -> Planned:
    return planned(parsed(text, "plan.toml"))


def sweep(*lines: str, scenarios: str = '["bbm_minimal::good"]') -> str:
    return "\n".join(["[[sweep]]", f"scenarios = {scenarios}", *lines])


def test_every_combination_is_an_arm_in_the_order_of_the_plan() -> None:
    params = "params = { cpus = [2, 3], layout = 'pmd' }"
    lines = (params, "strategies = ['pos', 'random']", "runs = '2k'")
    arms = plan(sweep(*lines, scenarios='["linear_map_split::good"]')).arms

    assert [(2, "pos"), (2, "random"), (3, "pos"), (3, "random")] == [
        (arm.params["cpus"], arm.strategy) for arm in arms
    ]
    assert {("pmd", 2_000, "first")} == {(a.params["layout"], a.runs, a.stop) for a in arms}


def test_a_sweep_has_what_the_plan_says_unless_it_says_otherwise() -> None:
    own = sweep("runs = 5", 'stop = "first"', "max_steps = 7")
    text = f'runs = "10k"\nstop = "never"\n{sweep(scenarios=TWIN)}\n{own}'
    first, second = plan(text).arms

    assert (10_000, "never") == (first.runs, first.stop)
    assert (5, "first", 7) == (second.runs, second.stop, second.max_steps)


TWIN = '["bbm_minimal::live_change"]'


def test_twins_of_a_scenario_are_arms_too() -> None:
    assert len(plan(sweep("twins = true")).arms) == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "missing required field `sweep`"),
        ("sweep = []", "a plan without a sweep"),
        ("seeed = 1", "a plan has no seeed .did you mean seed"),
        (sweep("strategys = ['pos']"), "a sweep has no strategys .did you mean strategies"),
        (sweep("strategies = ['poss']"), "no strategy poss"),
        (sweep("params = { cpuss = 2 }"), "bbm_minimal::good has no parameter cpuss"),
        (sweep(scenarios="['bbm_minimal::goood']"), "did you mean bbm_minimal::good"),
        (sweep("runs = 'many'"), "runs = many is not a count"),
        (sweep("runs = 0"), "runs = 0 is not a count"),
        (sweep("max_steps = '9m'"), "max_steps = 9,000,000 is more than"),
        (sweep() + "\n" + sweep(), "planned twice"),
        ("adaptive = true\n" + sweep(), "say how many"),
        ("adaptive = true\nruns = 9\n" + sweep("runs = 2"), "runs of its own"),
        ("adaptive = true\nruns = 20\n" + sweep(), "of 20 runs makes none: a batch is 1,000"),
        ("time = 'soon'\n" + sweep(), "time = soon is not a duration"),
        ("seed = [", "not TOML"),
        (f"seed = {'9' * 5000}\n" + sweep(), "not TOML|seed|Integer"),
        (sweep("params = { layout = [" + ",".join(["'pmd'"] * 2) + "] }"), "no parameter layout"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, why: str) -> None:
    with pytest.raises(UsageError) as error:
        plan(text)

    assert re.search(why, str(error.value))
    assert len(str(error.value).splitlines()) == 1


def test_arms_without_number_are_not_all_made_before_they_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simbbm.campaign.stored.plan.ARMS_MAX", 9)
    cpus, layouts = ", ".join(["2"] * 1_000), ", ".join(["'pmd'"] * 1_000)
    params = f"params = {{ cpus = [{cpus}], layout = [{layouts}] }}"

    with pytest.raises(UsageError, match="a plan of more than 9 arms"):
        plan(sweep(params, scenarios='["linear_map_split::good"]'))


def test_a_program_is_run_only_if_its_user_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = Path("mine.py")
    mine.write_text("raise SystemExit('it ran')")
    Path("folder").mkdir()
    for named in ('["mine.py"]', '["mine.py::good"]', '["./mine.py"]', '["folder"]'):
        with pytest.raises(UsageError, match=r"not run unasked|not folders"):
            plan(sweep(scenarios=named))


def test_the_example_of_the_guide_is_a_plan(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "simbbm" / "guide" / "campaign.md").read_text()
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example
    path = tmp_path / "plan.toml"
    path.write_text(example[1])

    assert read_plan(path).arms
