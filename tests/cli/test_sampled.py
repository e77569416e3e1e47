"""What a sample says: in plain words, as numbers, and never more than it knows."""

from __future__ import annotations

from tests.cli.commandline import Cli


def test_a_sample_says_what_it_has_not_seen(simbbm: Cli) -> None:
    shown = simbbm.ok("stress", "bbm_minimal::good", "--runs", "600", "-j", "1")

    for part in ("pct:depth=2: ", "Good-Turing", "Chao2", "not a proof", "not absent"):
        assert part in shown
    assert all(line.startswith("  ") for line in shown.splitlines()[1:])


def test_the_same_as_numbers(simbbm: Cli) -> None:
    row = simbbm.row("stress", "bbm_minimal::good", "--runs", "600", "-j", "1")

    estimate = row["estimate"]
    assert estimate["runs"] == 600
    assert 100 < estimate["states_seen"] <= estimate["states"] < 300
    assert estimate["unseen_per_run"] == estimate["states_seen_once"] / 600
    assert [(b["depth"], b["runs_counted"] + b["runs_too_long"]) for b in estimate["pct"]] == [
        (2, 100),
        (3, 100),
    ]
    assert all(0 < b["missed"] < 1 for b in estimate["pct"])


def test_the_number_of_workers_changes_no_number(simbbm: Cli) -> None:
    rows = [
        simbbm.row("stress", "bbm_minimal::good", "--runs", "600", "-j", jobs)
        for jobs in ("1", "2")
    ]
    assert rows[0]["estimate"] == rows[1]["estimate"]
    assert rows[0]["digest"] == rows[1]["digest"]


def test_what_is_no_sample_estimates_nothing(simbbm: Cli) -> None:
    failed = simbbm.row("stress", "bbm_minimal::live_change", "-j", "1")
    cut_short = simbbm.row("stress", "bbm_minimal::good", "--max-steps", "5", "--runs", "9", code=3)

    assert [failed["estimate"], cut_short["estimate"]] == [None, None]
    assert "Chao2" not in failed["message"] + cut_short["message"]


def test_a_failure_says_how_many_surprises_it_took(simbbm: Cli) -> None:
    command = ("stress", "linear_map_split::m10_no_dsb_after_tlbi", "-j", "1", "--strategy")

    assert simbbm.row(*command, "surprise:budget=1")["surprises"] == 1
    assert "(it takes 1 hardware surprise)" in simbbm.ok(*command, "surprise:budget=1")
    assert simbbm.row(*command, "pct")["surprises"] is None
