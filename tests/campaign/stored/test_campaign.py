"""`simbbm campaign` and `stress --store`, whole: with real processes, and real signals."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from simbbm.campaign.chunks import Job, run_chunk
from simbbm.campaign.planner import Chunk
from simbbm.campaign.stored.plan import Plan, Sweep, planned
from simbbm.campaign.stress import FINDER
from tests.cli.commandline import Cli
from tests.faults.killing import PLAN, SIMBBM, campaign, killed, report, rows

SMALL = """\
runs = 300
batch = 50

[[sweep]]
scenarios = ["bbm_minimal::good", "bbm_minimal::live_change"]
strategies = ["default", "random"]
"""


@pytest.fixture
def simbbm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, beside a plan."""
    monkeypatch.chdir(tmp_path)
    Path("plan.toml").write_text(SMALL)
    return Cli(tmp_path)


def test_a_report_is_the_same_for_any_number_of_workers_and_has_what_was_found(
    simbbm: Cli,
) -> None:
    simbbm.ok("campaign", "run", "plan.toml", "-j", "1")
    simbbm.ok("campaign", "run", "plan.toml", "-j", "2", "--store", "two.db")
    one, two = (simbbm.ok("campaign", "report", s, "--json") for s in ("plan.db", "two.db"))

    assert one == two
    assert str(simbbm.directory) not in one
    whole, *arms, finding = map(json.loads, one.splitlines())
    assert (4, 602, 2, 1, True) == (
        whole["arms"],
        whole["runs"],
        whole["failures"],
        whole["findings"],
        whole["complete"],
    )
    assert ["SAMPLED", "SAMPLED", "VIOLATED", "VIOLATED"] == [row["verdict"] for row in arms]
    assert all(row["expected"] and row["seconds"] is None for row in arms)
    assert ([2, 3], 2) == (finding["arms"], finding["shrunk"])
    replayed = simbbm.row("replay", Path("plan.db.witnesses") / finding["witness"])
    assert replayed["result"] == "REPRODUCED"
    assert simbbm.row("replay", finding["token"])["result"] == "REPRODUCED"


def test_counts_of_runs_are_those_of_stress(simbbm: Cli) -> None:
    asked = ("stress", "bbm_minimal::live_change", "--runs", "400", "--stop", "never")
    plain = simbbm.row(*asked)
    simbbm.ok(*asked, "--store", "runs.db")
    (kept,) = (
        row
        for row in simbbm.rows(*asked, "--store", "runs.db", "--resume")
        if row["type"] == "verdict"
    )

    for name in ("verdict", "property", "runs", "failures", "first_failure", "steps", "digest"):
        assert plain[name] == kept[name], name


def test_stress_goes_on_only_if_it_is_asked_to(simbbm: Cli) -> None:
    asked = ("stress", "bbm_minimal::good", "--runs", "60", "--store", "runs.db")
    assert "has nothing to go on with" in simbbm.refused(*asked, "--resume")
    simbbm.ok(*asked)
    assert "is there already (--resume goes on with it)" in simbbm.refused(*asked)
    assert "name it: --store" in simbbm.refused(*asked[:4], "--resume")


def test_status_reads_while_it_is_written_and_says_what_it_is(simbbm: Cli) -> None:
    plan = Path("long.toml")
    plan.write_text(PLAN.format(runs=200_000))
    process = campaign(Path("long.db"), plan)
    try:
        while not rows(Path("long.db"), plan):
            time.sleep(0.05)
        assert re.search(
            "^running; worked on for", simbbm.ok("campaign", "status", "long.db"), re.MULTILINE
        )
        refused = simbbm.refused("campaign", "run", plan, "--store", "long.db")
        assert "another process goes on with this campaign" in refused
    finally:
        process.kill()
        process.wait()
    assert "stopped: the same" in simbbm.ok("campaign", "status", "long.db")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_what_is_finished_and_says_how_to_go_on(
    simbbm: Cli, number: signal.Signals
) -> None:
    plan = Path("long.toml")
    plan.write_text(PLAN.format(runs=200_000))
    command = [*SIMBBM, "campaign", "run", str(plan), "-j", "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not rows(Path("long.db"), plan):
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate()

    assert process.returncode == 130, err
    assert "simbbm campaign run long.toml goes on with it" in err
    (made,) = re.findall(r"arms?, ([\d,]+) of [\d,]+ runs", out)
    assert (
        int(made.replace(",", ""))
        == int(simbbm.rows("campaign", "report", "long.db", code=3)[0]["runs"])
        > 0
    )


def test_killed_again_and_again_it_reports_the_same(tmp_path: Path) -> None:
    found = killed(tmp_path, kills=4, seed=1, runs=2_000, most=0.6)

    assert found.kills >= 2
    assert found.lost == 0
    assert found.reports[0] == found.reports[1]
    assert b'"complete":true' in found.reports[0]


def test_a_full_disk_stops_it_and_costs_nothing_that_is_kept(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(runs=3_000))

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (96 << 10, 96 << 10))

    store = tmp_path / "a.db"
    command = [*SIMBBM, "campaign", "run", str(plan), "--store", str(store)]
    full = subprocess.run(
        command, preexec_fn=little_room, capture_output=True, text=True, check=False
    )
    assert full.returncode == 2
    assert re.fullmatch(r"simbbm: cannot write .*a\.db: .* \(what it has stays\)\n", full.stderr), (
        full.stderr
    )
    kept = rows(store, plan)
    campaign(store, plan).wait()
    campaign(tmp_path / "b.db", plan).wait()

    assert 0 < kept < rows(store, plan)
    assert report(store) == report(tmp_path / "b.db")


def test_an_adaptive_campaign_shares_out_the_same_whoever_was_faster(simbbm: Cli) -> None:
    Path("plan.toml").write_text("adaptive = true\n" + SMALL.replace("300", "2000"))
    simbbm.ok("campaign", "run", "plan.toml", "-j", "2")
    simbbm.ok("campaign", "run", "plan.toml", "-j", "1", "--store", "one.db")
    one, two = (simbbm.ok("campaign", "report", s, "--json") for s in ("plan.db", "one.db"))
    rounds = json.loads(one.splitlines()[0])["rounds"]

    assert one == two
    assert len(rounds) > 1
    assert rounds[0] == [400] * 4
    assert rounds[1][2:] == [0, 0]  # they have failed
    assert sum(map(sum, rounds)) == 2000


def test_time_is_what_was_worked(simbbm: Cli) -> None:
    """A campaign with a time goes on until it is used up, whatever the clock on the wall says."""
    Path("plan.toml").write_text(f'time = "1h"\n{SMALL.replace("runs = 300", "")}')
    process = campaign(Path("plan.db"), Path("plan.toml"))
    while not all(row["runs"] for row in _arms(simbbm)):
        time.sleep(0.1)
    process.kill()
    process.wait()
    made = [row["runs"] for row in _arms(simbbm)]
    with sqlite3.connect("plan.db") as connection:
        connection.execute("UPDATE campaign SET seconds = seconds + 3600")
    connection.close()
    simbbm.ok("campaign", "run", "plan.toml")

    assert made == [row["runs"] for row in _arms(simbbm)]
    assert [None] * 4 == [row["runs_requested"] for row in _arms(simbbm)]


def _arms(simbbm: Cli) -> list[dict[str, Any]]:
    """The rows of the arms so far; one that says nothing before there is a store."""
    if not rows(Path("plan.db"), Path("plan.toml")):
        return [{"runs": 0}]
    return [r for r in simbbm.rows("campaign", "status", "plan.db") if r["type"] == "verdict"]


def test_a_scenario_that_breaks_is_said_and_the_others_go_on(simbbm: Cli) -> None:
    Path("mine.py").write_text(BROKEN)
    Path("plan.toml").write_text(SMALL.replace('"bbm_minimal::good"', '"mine.py"'))
    assert "not run unasked (--allow-file mine.py" in simbbm.refused("campaign", "run", "plan.toml")
    whole, *arms = simbbm.rows("campaign", "run", "plan.toml", "--allow-file", "mine.py", code=3)[
        :5
    ]

    assert not whole["complete"]
    assert ["INCONCLUSIVE", "INCONCLUSIVE", "VIOLATED", "VIOLATED"] == [a["verdict"] for a in arms]
    assert all("mine.py:" in arm["message"] for arm in arms[:2])


def test_a_scenario_that_has_changed_since_is_not_gone_on_with(simbbm: Cli) -> None:
    mine = Path("mine.py")
    mine.write_text(MINE)
    plan = Path("plan.toml")
    plan.write_text(SMALL.replace('"bbm_minimal::good"', '"mine.py"'))
    simbbm.ok("campaign", "run", "plan.toml", "--allow-file", "mine.py")
    mine.write_text(MINE + "# another thought")

    again = simbbm.refused("campaign", "run", "plan.toml", "--allow-file", "mine.py")
    assert again == (
        "plan.db: mine.py is not what it was (its runs might differ: take another store)"
    )
    plan.write_text(plan.read_text() + "seed = 1\n")
    assert simbbm.ok("campaign", "report", "plan.db")


def test_a_worker_with_another_file_makes_no_run(simbbm: Cli) -> None:
    Path("mine.py").write_text(MINE)
    (arm, *_) = planned(Plan(sweep=(Sweep(scenarios=("mine.py",)),)), [Path("mine.py")]).arms
    job = Job(FINDER, arm.scenario, tuple(arm.params.items()), "default", 0, 1_000, True, 10)
    assert run_chunk(job._replace(source=arm.source), Chunk(0, 1)).tally.runs == 1

    report = run_chunk(job._replace(source="f" * 32), Chunk(0, 1))
    assert report.tally.broke
    assert "not the one that was begun with" in report.tally.broke.error.message


MINE = '''
"""A scenario of somebody's."""
from simbbm_scenarios.bbm_minimal import good

mine = good.twin("The same.", expect="HOLDS")
'''
BROKEN = '''
"""A program that asks for what there is not."""
from simbbm import Cpu, Descriptor, routine
from simbbm_scenarios.bbm_minimal import change, good


@routine
async def change_wrongly(cpu: Cpu, new: Descriptor) -> None:
    await cpu.dsb("nowhere")


broken = good.twin(
    "A barrier that there is not.",
    replace={change: change_wrongly},
    expect="STUCK:terminates",
)
'''


@pytest.mark.skipif(os.environ.get("CI_NO_DASK") == "1", reason="no dask here")
def test_dask_workers_report_the_same_also_if_one_is_killed(simbbm: Cli) -> None:
    pytest.importorskip("distributed", reason="the extra `distributed` is not installed")
    simbbm.ok("campaign", "run", "plan.toml", "--store", "local.db")
    out = subprocess.run([SIMBBM[0], "-c", CLUSTER], capture_output=True, text=True, check=False)

    assert out.returncode == 0, out.stderr
    local, dask = (simbbm.ok("campaign", "report", s, "--json") for s in ("local.db", "dask.db"))
    assert local == dask
    assert "no scheduler of dask's" in simbbm.refused(
        "campaign", "run", "plan.toml", "--store", "x.db", "--executor", "dask:tcp://127.0.0.1:9"
    )


CLUSTER = """
import os, signal, subprocess, sys, time
from pathlib import Path
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        command = [sys.executable, "-m", "simbbm", "campaign", "run", "plan.toml", "--store",
                   "dask.db", "--executor", "dask:" + cluster.scheduler_address]
        process = subprocess.Popen(command)
        time.sleep(1.5)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        sys.exit(process.wait())
"""
