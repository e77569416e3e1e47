"""What `ablate` refuses to say, and what it keeps."""

import json
from pathlib import Path

from simbbm import discovery
from simbbm.explore.counterexample.ablate import Ablator
from simbbm.explore.search.breadth_first import NO_LIMITS, Limits
from simbbm.model import Model
from tests.cli.commandline import Cli

ROW = '{"name":"T","threads":[["r1 = ld x"]],"init":{"map":{"x":"leaf(pa)"}},"condition":"0:r1=1"}'


def test_of_what_fails_as_it_is_no_step_is_to_blame(simbbm: Cli) -> None:
    told = simbbm.refused("ablate", "bbm_minimal::live_change")

    assert told.startswith("bbm_minimal::live_change fails as it is: VIOLATED:no_size_change_seen")
    assert told.endswith("fails; ablate bbm_minimal::good, of which it is a twin)")


def test_a_litmus_test_has_no_steps(simbbm: Cli) -> None:
    Path("t.jsonl").write_text(ROW)

    instead = "(simbbm litmus t.jsonl --only T --outcomes shows what it reaches"
    assert instead in simbbm.refused("ablate", "t.jsonl::T")
    assert "t.jsonl holds litmus tests" in simbbm.refused("ablate", "t.jsonl")
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


def test_text_says_where_counterexamples_are(simbbm: Cli, mine: Path) -> None:
    alone = simbbm.ok("ablate", "bbm_minimal::good", "--witness-dir", "kept").splitlines()
    count = len([*Path("kept").glob("*.json")])

    assert f"Counterexamples kept in kept: {count}. List them with:" == alone[-2]
    listed = simbbm.rows(*alone[-1].split()[1:])
    assert count == len(listed) >= 6
    several = simbbm.ok("ablate", "bbm_minimal::good", f"{mine}::good")
    assert "Counterexamples kept in .simbbm/witness: " in several
    assert several.endswith("List them with:\n  simbbm witness\n")


def test_text_says_how_to_get_what_could_not_be_written(simbbm: Cli) -> None:
    Path("file").write_text("in the way")
    shown = simbbm.ok("ablate", "bbm_minimal::good", "--witness-dir", "file/kept")
    rows = simbbm.rows("ablate", "bbm_minimal::good", "--witness-dir", "file/kept")
    tokens = [row["token"] for row in rows if row["token"]]

    assert shown.endswith(f"could not be written: {len(tokens)}. --json has tokens.\n")
    assert len(tokens) >= 6


def test_a_mutant_that_does_not_show_is_said_to_be_one(simbbm: Cli) -> None:
    result = simbbm("ablate", "bbm_minimal::live_change_noabort", "-p", "noabort=all")

    assert "warning" not in result.stderr
    hidden = simbbm("ablate", "bbm_minimal::live_change", "-p", "noabort=all")
    assert 0 == hidden.exit_code, hidden.output
    assert "is expected to fail (VIOLATED:no_size_change_seen), and with these" in hidden.stderr


def test_a_failure_of_what_may_fail_anyway_blames_no_step(simbbm: Cli) -> None:
    """The search of the scenario as it is was cut short; what a change breaks may be broken."""
    model = Model(discovery.find("bbm_minimal::live_change"))
    ablator = Ablator(model, Limits(states=2))
    ablator.limits = NO_LIMITS
    found = [ablator.ablate(change) for change in ablator.singles()]

    assert not ablator.complete
    assert found
    assert {"inconclusive", "redundant"} == {a.result for a in found if a.proof}
