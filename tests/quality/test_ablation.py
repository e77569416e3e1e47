"""The whole ablation table of the merged protocol, against the one that is kept, and its relatives.

With two CPUs and one block.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from simbbm.cli.ablate_columns import ABSENT
from simbbm.cli.app import simbbm
from tests.explore.test_ablate import MACHINES, SNAPSHOT, snapshot

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]

SMALL = ("-p", "cpus=2", "-p", "layout=pmd")
FLUSH = "flush_tlb_kernel_range/flush_tlb_all"


def rows(*args: str) -> list[dict[str, Any]]:
    """What `simbbm ablate` says, row by row."""
    told = CliRunner().invoke(simbbm, ["ablate", *args, "--json"])
    assert told.exit_code == 0, told.output
    return [json.loads(line) for line in told.stdout.splitlines()]


def kept() -> dict[tuple[str, str], str]:
    """Step, change and result of every row of the table's first machine, the split alone."""
    _, table = snapshot()
    return {
        row: cells[0] if cells[0] == "redundant" else "load-bearing"
        for row, cells in table.items()
        if cells[0] != ABSENT
    }


def test_the_kept_table_is_what_the_tool_prints() -> None:
    shown = CliRunner().invoke(simbbm, ["ablate", *MACHINES, *SMALL, "--as", "markdown"])

    print(shown.stdout)  # noqa: T201 - the table is what a reader wants
    assert SNAPSHOT.read_text() == shown.stdout
    assert " inconclusive " not in shown.stdout


@pytest.mark.parametrize(
    ("name", "differs"),
    [
        # A TLB in common: what the boot CPU still holds is to go before the others are back.
        (
            "smt",
            {
                f"{FLUSH}.tlbi.vmalle1is remove",
                f"{FLUSH}.dsb.ish remove",
                f"{FLUSH}.dsb.ish weaken:dmb.ish",
            },
        ),
        ("erratum_4118414", set()),
    ],
)
def test_on_other_machines_these_steps_carry_the_load_besides(name: str, differs: set[str]) -> None:
    told = {(r["step"], r["change"]): r["result"] for r in rows(f"{name}::good", *SMALL)}

    assert told.keys() == kept().keys()
    changed = {k for k, result in told.items() if result != kept()[k]}
    assert differs == {" ".join(k) for k in changed}
    assert all(told[k] == "load-bearing" for k in changed)


def test_no_two_steps_that_can_be_spared_singly_carry_the_load_together() -> None:
    told = rows("linear_map_split::good", "--pairs", *SMALL)
    pairs = {r["step"]: r["result"] for r in told if " + " in r["step"]}

    assert len(pairs) == 406
    assert set(pairs.values()) == {"redundant"}
