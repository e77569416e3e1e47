"""`simbbm ablate`: rows, table, Markdown, and what cannot be answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from simbbm.campaign import tasks
from simbbm.campaign.answers import ablations
from simbbm.campaign.tasks import SideBySide
from simbbm.explore.counterexample.ablate import Ablation, Task, ablate
from simbbm.report.rows import PAIR
from simbbm.scenario import Scenario
from tests.cli.commandline import Cli

MINIMAL = "bbm_minimal::good"
SMALL = ("-p", "cpus=2", "-p", "layout=pages")


def test_rows_have_counterexamples_that_replay(simbbm: Cli) -> None:
    rows = simbbm.rows("ablate", MINIMAL)
    bearing = [r for r in rows if r["result"] == "load-bearing" and r["witness"]]

    assert {"ablation"} == {r["type"] for r in rows}
    assert {"load-bearing", "redundant"} == {r["result"] for r in rows}
    assert all(r["verdict"] == "PROVED" for r in rows if r["result"] == "redundant")
    assert bearing
    for row in bearing[:3]:
        assert "REPRODUCED" in simbbm.ok("replay", row["witness"])
        assert "REPRODUCED" in simbbm.ok("replay", row["token"])


def test_text_and_markdown_say_the_same(simbbm: Cli) -> None:
    rows = simbbm.rows("ablate", MINIMAL)
    table = simbbm.ok("ablate", MINIMAL, "--explain")
    markdown = simbbm.ok("ablate", MINIMAL, "--as", "markdown")

    assert f"{len(rows)} changes: " in table
    assert "proved for these parameters" in table
    assert len(rows) == sum(line.startswith("| `") for line in markdown.splitlines())
    why = next(r["why"] for r in rows if r["result"] == "load-bearing")
    assert why in table


def test_pairs(simbbm: Cli) -> None:
    alone, pairs = simbbm.rows("ablate", MINIMAL), simbbm.rows("ablate", MINIMAL, "--pairs")
    spared = [r for r in alone if r["result"] == "redundant" and r["change"] == "remove"]

    assert len(alone) + len(spared) * (len(spared) - 1) // 2 == len(pairs)


def test_no_time_is_inconclusive(simbbm: Cli) -> None:
    rows = simbbm.rows("ablate", "linear_map_split::good", "--max-seconds", "0.001s", code=3)

    assert "inconclusive" in {r["result"] for r in rows}


def test_ctrl_c_keeps_what_was_found(simbbm: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def interrupted(scenario: Scenario, task: Task) -> Ablation:
        seen.append(task)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return ablate(scenario, task)

    monkeypatch.setattr(ablations, "ablate", interrupted)
    shown = simbbm.ok("ablate", MINIMAL, "-j", "1", code=130)

    assert "2 changes: " in shown
    assert "interrupted: the rest was not looked at." in shown


def test_the_number_of_workers_changes_nothing(simbbm: Cli) -> None:
    """With pairs, which are known when the single changes are."""
    alone, two = (simbbm.rows("ablate", MINIMAL, "--pairs", "-j", jobs) for jobs in "12")

    assert any(PAIR in row["step"] for row in alone)
    assert alone == two


def test_a_change_whose_worker_was_lost_is_not_answered(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LosesTheSecond(SideBySide[Any, Any]):
        """Workers of which the second is killed, and the fourth is never heard of again."""

        def __iter__(self) -> Iterator[Any]:
            for number, task in enumerate(self._tasks):
                lost = number in (1, 3)
                yield (
                    self._unanswered(task, "killed", interrupted=number == 3)
                    if lost
                    else (ablations.ablated(task))
                )

    monkeypatch.setattr(tasks, "SideBySide", LosesTheSecond)
    rows = simbbm.rows("ablate", MINIMAL, "-j", "2", code=130)

    assert [row["result"] == "inconclusive" for row in rows] == [False, True, False]
    assert rows[1]["why"] == "killed"


def test_what_a_program_cannot_go_on_without_is_said(simbbm: Cli) -> None:
    """A load whose value is used, and a return from an exception that has none."""
    table = simbbm.ok("ablate", MINIMAL)
    used = simbbm.ok("ablate", "linear_map_split::good", *SMALL)

    assert re.search(r"^  eret +remove +load-bearing  needed to go on$", table, re.MULTILINE)
    assert re.search(r"^  ldxr +remove +load-bearing  its value is used$", used, re.MULTILINE)


def test_several_machines_stand_side_by_side(simbbm: Cli) -> None:
    """A row for every step of any of them; what one does not come to it says nothing of."""
    ids = ("bbm_minimal::good", "erratum_4118414::reused_page_flushed_twice")
    alone = {i: [r for r in simbbm.rows("ablate", i) if r["type"] == "ablation"] for i in ids}
    head, _, *lines = simbbm.ok("ablate", *ids, "--as", "markdown").splitlines()

    assert head == f"| step | change | `{ids[0]}` | `{ids[1]}` |"
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    for n, name in enumerate(ids):
        told = {(c[0].strip("`"), c[1]): c[2 + n] for c in cells if c[2 + n] != "-"}
        assert told.keys() == {(r["step"], r["change"]) for r in alone[name]}
        for r in alone[name]:
            without = ("its value is used", "needed to go on") if r["verdict"] is None else ()
            cell = told[r["step"], r["change"]]
            assert cell in without or cell == (r["property"] or "redundant")
    refused = simbbm.refused("ablate", *ids, "--explain")
    assert "--explain goes with one scenario" in refused
