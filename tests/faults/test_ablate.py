"""What `ablate` refuses to say, and what it keeps."""

import json
from pathlib import Path

from tests.cli.commandline import Cli

ROW = '{"name":"T","threads":[["r1 = ld x"]],"init":{"map":{"x":"leaf(pa)"}},"condition":"0:r1=1"}'


def test_of_what_fails_as_it_is_no_step_is_to_blame(simbbm: Cli) -> None:
    told = simbbm.refused("ablate", "bbm_minimal::live_change")

    assert told.startswith("bbm_minimal::live_change fails as it is: VIOLATED:no_size_change_seen")


def test_a_litmus_test_has_no_steps(simbbm: Cli) -> None:
    Path("t.jsonl").write_text(ROW)

    assert simbbm.refused("ablate", "t.jsonl::T").startswith("t.jsonl::T has no step that could be")


def test_no_time_to_find_the_steps_is_no_answer(simbbm: Cli) -> None:
    args = ("ablate", "linear_map_split::good", "--max-seconds", "0.001")

    assert "there was no time to find all of its steps" in simbbm.ok(*args, code=3)


def test_counterexamples_are_kept_whatever_the_form(simbbm: Cli) -> None:
    shown = simbbm.ok("ablate", "bbm_minimal::good", "--explain", "--witness-dir", "kept")
    kept = {path.name for path in Path("kept").glob("*.json")}
    rows = simbbm.rows("ablate", "bbm_minimal::good", "--witness-dir", "also")

    assert kept == {Path(row["witness"]).name for row in rows if row["witness"]}
    assert len(kept) >= 6
    assert all(f"show with: simbbm show kept/{name}" in shown for name in kept)
    verdicts = {json.loads(path.read_text())["verdict"] for path in Path("kept").glob("*.json")}
    assert {"VIOLATED", "STUCK"} == verdicts
