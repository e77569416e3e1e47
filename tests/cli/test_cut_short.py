"""What is cut short is never a pass: faults and limits, for each command that searches or samples.

Elsewhere: what a search and a campaign make of limits, Ctrl-C and lost workers, in
tests/explore/test_prove.py and tests/campaign/; a witness folder that cannot be made, in
test_run.py; what `check` says of an interrupted sample, in test_check.py.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from simbbm.campaign.tasks import SideBySide
from tests.cli.commandline import Cli

GOOD, BAD = "linear_map_split::good", "linear_map_split::m10_no_dsb_after_tlbi"
SMALL = ("-p", "cpus=2", "-p", "layout=pmd")
SIMBBM = [sys.executable, "-m", "simbbm"]
FEW_STEPS = ("--runs", "20", "-j", "1", "--max-steps", "5")
TOO_SHORT = ("--runs", "2m", "-j", "1", "--time", "0.2s")
CUT = {
    "run, steps": ("run", "--max-steps", "5"),
    "stress, steps": ("stress", *FEW_STEPS),
    "explore, states": ("explore", "--max-states", "9"),
    "explore, time": ("explore", "--max-seconds", "0.001s"),
    "explore, memory": ("explore", "--max-memory", "1m"),
    "check, states": ("check", "--max-states", "9", *FEW_STEPS),
    "check, time": ("check", "--max-seconds", "0.001s", *FEW_STEPS),
    "check, memory": ("check", "--max-memory", "1m", *FEW_STEPS),
}
HOLDING = {
    "stress, time": ("stress", *TOO_SHORT),
    "check, states, time": ("check", "--max-states", "9", *TOO_SHORT),
}
"""Cut by a clock: a twin may well be caught before."""


@pytest.mark.parametrize(
    ("cut", "scenario"),
    [(name, scenario) for name in CUT for scenario in (GOOD, BAD)]
    + [(name, GOOD) for name in HOLDING],
)
def test_a_limit_is_inconclusive(simbbm: Cli, cut: str, scenario: str) -> None:
    command, *limits = (CUT | HOLDING)[cut]

    row = simbbm.row(command, scenario, *SMALL, *limits, code=3)

    assert ("INCONCLUSIVE", None) == (row["verdict"], row["expected"])
    assert row["message"]


def test_a_search_cut_short_is_no_proof_whatever_a_sample_says(simbbm: Cli) -> None:
    given = ("check", GOOD, *SMALL, "--max-states", "9", "--runs", "20", "-j", "1")
    row = simbbm.row(*given, "--require-proof", code=3)

    assert ("sample", "SAMPLED") == (row["mode"], row["verdict"])


# Processes that are lost


DEADLY = """

import os
from multiprocessing import parent_process


def go_wrong():
    if parent_process():
        {wrong}


@scenario(expect="HOLDS")
def deadly() -> Setup:
    \"\"\"No process that looks at it lives on, but for the first.\"\"\"
    go_wrong()
    return good.build(readers=1)
"""
KILLED = "os.kill(os.getpid(), 9)"


def deadly(mine: Path, wrong: str) -> str:
    """Add to a file a scenario with which something goes wrong in processes of its own."""
    mine.write_text(mine.read_text() + DEADLY.format(wrong=wrong))
    return f"{mine}::deadly"


@pytest.mark.parametrize("command", ["check", "explore"])
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (KILLED, "its process was lost (killed by signal 9)"),
        ("os._exit(0)", "its process was lost (exit code 0)"),
        ("raise MemoryError", "out of memory"),
    ],
)
def test_a_process_that_is_lost_costs_its_own_answer(
    simbbm: Cli, mine: Path, command: str, wrong: str, why: str
) -> None:
    ids = (f"{mine}::good", deadly(mine, wrong), f"{mine}::no_tlbi")

    rows = simbbm.rows(command, *ids, "-j", "2", code=3)

    assert ["PROVED", "INCONCLUSIVE", "VIOLATED"] == [row["verdict"] for row in rows]
    assert (None, why) == (rows[1]["expected"], rows[1]["message"])
    assert why in simbbm.ok(command, *ids, "-j", "2", code=3)


def test_what_is_worse_than_a_lost_process_is_the_exit_code(simbbm: Cli, mine: Path) -> None:
    mine.write_text(mine.read_text().replace('"VIOLATED:no_tlb_conflict"', '"STUCK:terminates"'))

    rows = simbbm.rows("check", f"{mine}::no_tlbi", deadly(mine, KILLED), "-j", "2", code=1)

    assert ["VIOLATED", "INCONCLUSIVE"] == [row["verdict"] for row in rows]


def test_a_sample_whose_workers_are_lost_is_inconclusive(simbbm: Cli, mine: Path) -> None:
    row = simbbm.row("stress", deadly(mine, KILLED), "--runs", "20", "-j", "1", code=3)

    assert ("INCONCLUSIVE", None, 0) == (row["verdict"], row["expected"], row["runs"])
    assert "only 0 of 20 runs were done" == row["message"]


BROKEN = """from simbbm.explore.search.prove import Prover
        def broken(*_): raise KeyError("k")
        Prover.proof = broken"""


@pytest.mark.parametrize("command", ["check", "explore"])
def test_a_defect_of_ours_in_another_process_is_an_internal_error(
    simbbm: Cli, mine: Path, command: str
) -> None:
    """It is told as it would be here: where it happened. `check` goes on with the rest."""
    ids = (deadly(mine, BROKEN), f"{mine}::good")

    told = simbbm(command, *ids, "-j", "2")

    assert 5 == told.exit_code
    assert told.stderr.startswith("simbbm: internal error: KeyError: 'k' at mine.py:")
    assert ("ok    good" in told.stdout) == (command == "check")


@pytest.mark.parametrize("command", ["check", "explore"])
def test_what_an_author_raises_is_no_defect_of_ours(simbbm: Cli, mine: Path, command: str) -> None:
    ids = (deadly(mine, 'raise KeyError("k")'), f"{mine}::good")

    told = simbbm(command, *ids, "-j", "2")

    assert 2 == told.exit_code
    assert re.search(r"mine\.py:\d+: .*deadly: KeyError: 'k'$", told.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count so")
def test_a_machine_without_memory_proves_nothing(tmp_path: Path) -> None:
    def scarce() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (80 * 2**20, 80 * 2**20))

    done = subprocess.run(
        [*SIMBBM, "explore", GOOD, "-p", "cpus=6", "--no-ample", "--no-symmetry", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=scarce,
        check=False,
    )

    assert (3, "out of memory") == (done.returncode, json.loads(done.stdout)["message"][:13])
    assert "PROVED" not in done.stdout


# Full disks


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--strategy", "pos", "--seed", "3"),
        ("stress", "--runs", "100", "-j", "1"),
        ("explore",),
        ("check",),
    ],
)
def test_a_disk_that_is_full_costs_the_witness_and_not_the_answer(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)

    result = simbbm(*command, "bbm_minimal::no_invalidation", "--json")
    row = json.loads(result.stdout)

    assert (0, "VIOLATED", None) == (result.exit_code, row["verdict"], row["witness"])
    assert "no witness written to .simbbm/witness: No space left on device" in result.stderr
    assert not [*Path(".simbbm").rglob("*.json")]
    assert "REPRODUCED" in simbbm.ok("replay", row["token"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["run", "stress", "explore", "check"])
def test_an_answer_that_cannot_be_written_is_no_pass(tmp_path: Path, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*SIMBBM, command, "bbm_minimal", *(["--runs", "9"] if command == "stress" else [])],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    assert (5, "simbbm: stdout: No space left on device\n") == (done.returncode, done.stderr)


# Ctrl-C


ENDLESS = """

async def round_and_round(cpu: Cpu) -> None:
    x = 0
    while True:
        x = x + 1
        await cpu.str(X, x)


@scenario(expect="HOLDS")
def endless() -> Setup:
    \"\"\"It never ends, and never is the same.\"\"\"
    regime = Regime((Ttbr(0),), (Ttbr(TABLE),), (Tcr(0, 1, epd0=True),))
    return Setup(
        geometry=SCALED,
        cpus=(CpuSetup(round_and_round, regime),),
        tables={TABLE: (leaf(OLD, RW), leaf(TABLES, RW))},
        properties=(terminates,),
        symbols={X: "x"},
    )
"""


def begin(*args: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process, in a process group of its own as from a terminal."""
    return subprocess.Popen(
        [*SIMBBM, *args, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def interrupted(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Press Ctrl-C. The end of the pipes is the end of the last process that has them."""
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("run", ("--max-steps", "200k", "--strategy", "random")),
        ("stress", ("--max-steps", "200k", "--runs", "9")),
        ("explore", ()),
        ("check", ("--max-states", "1000m", "--max-seconds", "1h")),
        ("check", ("--max-states", "1", "--max-steps", "200k")),
    ],
)
def test_ctrl_c_is_no_pass(mine: Path, command: str, more: tuple[str, ...]) -> None:
    mine.write_text(mine.read_text() + ENDLESS)
    for seconds in (1.5, 5, 15):  # on a loaded machine it takes a while to get under way
        process = begin(command, f"{mine}::endless", *more, folder=mine.parent)
        time.sleep(seconds)
        rows = interrupted(process)
        said = [row["verdict"] for row in rows if row["type"] == "verdict"]
        if said or command == "run":
            break
    assert said == ([] if command == "run" else ["INCONCLUSIVE"])


@pytest.mark.parametrize("command", ["check", "explore"])
def test_ctrl_c_keeps_what_was_found_behind_what_was_not(mine: Path, command: str) -> None:
    mine.write_text(mine.read_text() + ENDLESS)
    limits = ("--max-states", "1000m", "--max-seconds", "1h")
    ids = (f"{mine}::endless", f"{mine}::no_tlbi")
    process = begin(command, *ids, *limits, "-j", "2", folder=mine.parent)
    deadline = time.monotonic() + 60
    while not [*mine.parent.glob(".simbbm/witness/*.json")] and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)  # its answer is on its way

    rows = interrupted(process)

    assert ["INCONCLUSIVE", "VIOLATED"] == [row["verdict"] for row in rows]
    assert "interrupted" == rows[0]["message"]


def test_who_stops_listening_ends_the_processes() -> None:
    sleeping = SideBySide(time.sleep, lambda *_, interrupted: interrupted, [0, 600], 2)
    answers = iter(sleeping)

    assert next(answers) is None
    assert 2 == len(active_children()), "who has answered stays for the next"
    sleeping.stop()

    assert not active_children()
    assert [True] == [*answers]


def test_processes_end_with_their_parent(mine: Path) -> None:
    mine.write_text(mine.read_text() + ENDLESS)
    process = begin("explore", f"{mine}::endless", f"{mine}::good", "-j", "2", folder=mine.parent)
    time.sleep(2.0)  # they are under way
    process.kill()

    # Every process has the pipes: their end is the end of the last of them.
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
