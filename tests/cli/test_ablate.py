"""`simbbm ablate`: rows, table, Markdown, and what cannot be answered."""

from __future__ import annotations

import re

import pytest

from simbbm.explore.counterexample.ablate import Ablator
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
    ablate = Ablator.ablate
    seen: list[object] = []

    def interrupted(self: Ablator, *changes: object) -> object:
        seen.append(changes)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return ablate(self, *changes)  # type: ignore[arg-type]

    monkeypatch.setattr(Ablator, "ablate", interrupted)
    shown = simbbm.ok("ablate", MINIMAL, code=130)

    assert "2 changes: " in shown
    assert "interrupted: the rest was not looked at." in shown


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
