"""A signal ends a command with what it has, and never makes an answer of what was not finished."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from simbbm.explore.search.breadth_first import Search
from simbbm.host import signals
from tests.cli.commandline import Cli
from tests.faults.conftest import RECORDED

SIMBBM = [sys.executable, "-m", "simbbm"]
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
BAD = "bbm_minimal::no_invalidation"
STRESS = ("stress", BAD, "--runs", "100m", "--stop", "never", "-j", "2")


@pytest.fixture
def nth_search(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ctrl-C in the n-th search that a command makes, in the midst of it."""

    def interrupt(n: int) -> None:
        calls, expand = count(), Search._expand

        def interrupted(self: Search, visited: Any, *rest: Any) -> Any:
            if visited[0] == 0 and next(calls) == n:
                raise KeyboardInterrupt
            return expand(self, visited, *rest)

        monkeypatch.setattr(Search, "_expand", interrupted)

    return interrupt


@pytest.mark.parametrize(("n", "rows"), [(0, None), (1, "0"), (5, "[234]")])
def test_ablate_has_no_row_of_what_was_not_finished(
    simbbm: Cli, nth_search: Any, n: int, rows: str | None
) -> None:
    """The first search finds the steps; a change takes one or two."""
    nth_search(n)

    result = simbbm("ablate", "bbm_minimal::good", "-j", "1")

    assert 130 == result.exit_code
    assert "inconclusive" not in result.stdout
    if rows is None:
        assert ("", "simbbm: interrupted\n") == (result.stdout, result.stderr)
    else:
        assert re.search(rf"\n{rows} changes: ", result.stdout)
        assert "; interrupted: the rest was not looked at." in result.stdout


@pytest.mark.parametrize("n", [0, 1])
def test_show_tells_what_happened_without_what_it_needs(
    simbbm: Cli, nth_search: Any, n: int
) -> None:
    nth_search(n)
    shown = simbbm.ok("show", RECORDED, code=130)

    assert "VIOLATED no_size_change_seen after 5 steps" in shown
    assert "needs" not in shown


def test_shrink_keeps_what_it_has_made_small(simbbm: Cli, nth_search: Any) -> None:
    searches: list[int] = []
    run = Search.run

    def counted(self: Search) -> Any:
        searches.append(1)
        return run(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Search, "run", counted)
        patch.setattr(
            import_module("simbbm.explore.counterexample.explain"), "explain", lambda *_: None
        )
        simbbm.ok("shrink", RECORDED)
    nth_search(len(searches))

    shown = simbbm.ok("shrink", RECORDED, code=130)

    assert "5 -> 5 steps, certified minimal" in shown
    assert "  show with:   simbbm show .simbbm/witness/" in shown
    nth_search(0)
    assert "interrupted" == simbbm.refused("shrink", RECORDED, code=130).strip()


def test_shrink_keeps_the_smallest_that_it_has_met(simbbm: Cli, nth_search: Any) -> None:
    """Ctrl-C while simpler parameters are tried: what was found up to then is an answer."""
    failed = simbbm.ok("explore", "linear_map_split::m01_only_boot_cpu_runs_fn", code=0)
    (token,) = re.findall(r"simbbm show (\S+)", failed)
    whole = json.loads(simbbm.ok("shrink", token, "--json"))
    nth_search(2)

    row = json.loads(simbbm.ok("shrink", token, "--json", code=130).splitlines()[-1])
    nth_search(2)
    said = simbbm.ok("shrink", token, code=130)

    assert row["interrupted"]
    assert not whole["interrupted"]
    assert row["length"] >= whole["length"]
    assert simbbm.ok("replay", row["token"])
    assert "interrupted: simpler parameters were not tried" in said


def test_check_counts_what_it_has(simbbm: Cli, nth_search: Any) -> None:
    nth_search(2)
    shown = simbbm.ok("check", "bbm_minimal", "-j", "1", code=130)

    assert "interrupted" in shown
    assert "of 4 as expected, interrupted, " in shown


def test_a_report_of_litmus_tests_says_that_it_is_not_whole(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simbbm.litmus import score

    calls, judge = count(), score.judge

    def interrupted(*args: Any, **options: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return judge(*args, **options)

    monkeypatch.setattr("simbbm.campaign.answers.conformance.judge", interrupted)
    own = Path(__file__).parent.parent / "litmus" / "own" / "ordering.jsonl"

    page = simbbm.ok("litmus", own, "--report", code=130)

    assert "# Litmus conformance" in page
    assert "Interrupted: tests that are not counted here were not run." in page


# Real processes and signals


def begin(*args: str, folder: Path, ignored: tuple[signal.Signals, ...] = ()) -> Any:
    """Start a process, in a process group of its own as from a terminal."""

    def ignore() -> None:
        for number in (INT, TERM, HUP):  # whatever this process, or a shell, ignores
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    return subprocess.Popen(
        [*SIMBBM, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        start_new_session=True,
        preexec_fn=ignore,  # noqa: PLW1509 - nothing but signals
    )


def end_of(process: Any) -> tuple[str, str]:
    """What a process says until it ends; if it does not, nothing of it is left."""
    try:
        out, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return out, errors


def wait_for_children(process: Any, least: int) -> None:
    """Wait until workers are at work."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        below = [
            Path(f"/proc/{child}/task/{child}/children").read_text().split() for child in children
        ]
        if sum(map(len, below)) >= least:
            return
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
@pytest.mark.parametrize("given", [(TERM, TERM), (HUP, HUP, TERM)])
def test_whoever_asks_a_campaign_to_end_gets_what_it_has(
    tmp_path: Path, given: tuple[signal.Signals, ...]
) -> None:
    """All processes are asked, more than once, as `timeout` and a closing terminal do."""
    process = begin(*STRESS, folder=tmp_path)
    wait_for_children(process, 2)
    time.sleep(1.5)
    for number in given:
        os.killpg(process.pid, number)
    out, errors = end_of(process)

    assert (130, "") == (process.returncode, errors)
    assert f"{BAD}: VIOLATED:no_size_change_seen" in out
    assert [*tmp_path.glob(".simbbm/witness/*.json")]


def test_a_terminal_that_is_closed_takes_nothing_along(tmp_path: Path) -> None:
    """Neither the answer, which goes elsewhere, nor the witness; progress is written in vain."""
    ours, theirs = pty.openpty()
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            [*SIMBBM, *STRESS],
            stdin=theirs,
            stdout=out,
            stderr=theirs,
            cwd=tmp_path,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(theirs)
        shown = b""
        while not re.search(rb"[1-9]\d*/\d+", shown):  # some runs have been made
            shown += os.read(ours, 65_536)
        os.close(ours)

        end_of(process)
        assert 130 == process.returncode
    assert "VIOLATED:no_size_change_seen" in (tmp_path / "out").read_text()
    assert [*tmp_path.glob(".simbbm/witness/*.json")]


@pytest.mark.parametrize("number", [INT, TERM])
def test_ablate_ends_with_its_rows(tmp_path: Path, number: signal.Signals) -> None:
    process = begin("ablate", "linear_map_split::good", "-p", "cpus=2", folder=tmp_path)
    first = [process.stdout.readline() for _ in range(3)]
    os.killpg(process.pid, number)
    rest, errors = end_of(process)

    assert (130, "") == (process.returncode, errors)
    assert first[0]
    assert "inconclusive" not in rest
    assert "; interrupted: the rest was not looked at." in rest


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    script = (
        "import time\nfrom simbbm.host import signals\n"
        "for number in signals.ENDING: signal.signal(number, signal.SIG_DFL)\n"
        "signals.handle()\n"
        "try:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('ending', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"import signal\n{script}"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout
    assert "ready\n" == process.stdout.readline()
    process.send_signal(HUP)
    assert "ending\n" == process.stdout.readline()
    process.send_signal(TERM)  # changes nothing
    process.send_signal(INT)

    assert 130 == process.wait(timeout=30)
    process.stdout.close()


@pytest.mark.parametrize(
    ("when", "code"), [("os.kill(os.getpid(), number); time.sleep(60)", 130), ("late = Late()", 3)]
)
@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_signal_after_the_answer_is_an_exit_code(
    when: str, code: int, number: signal.Signals
) -> None:
    """Also while Python takes itself down: nobody shall think that there was no answer."""
    script = (
        "import os, signal, sys, time\nfrom simbbm.host import signals\n"
        f"number = {int(number)}\nsignal.signal(number, signal.default_int_handler)\n"
        "kill, own = os.kill, os.getpid()\n"
        "class Late:\n    def __del__(self, kill=kill, own=own, number=number):\n"
        "        kill(own, number)\n"
        f"signals.handle()\nsignals.let_go()\n{when}\nsys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert (code, "") == (done.returncode, done.stderr)


def test_what_is_ignored_from_the_start_stays_ignored(tmp_path: Path) -> None:
    """As by nohup, or by a shell for what it runs in the background."""
    args = ("ablate", "bbm_minimal::good")
    process = begin(*args, folder=tmp_path, ignored=(INT, HUP))
    assert process.stdout.readline()
    for number in (INT, HUP, INT):
        os.killpg(process.pid, number)
    out, errors = end_of(process)

    assert (0, "") == (process.returncode, errors)
    assert "23 changes" in out


def test_who_listens_is_told_and_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_met", False)
    heard: list[str] = []
    with signals.told(lambda: heard.append("outer")), signals.told(lambda: heard.append("inner")):
        signals._end(TERM, None)
    assert ["inner"] == heard

    signals._end(HUP, None)  # a further one changes nothing
    monkeypatch.setattr(signals, "_met", False)
    with pytest.raises(KeyboardInterrupt):
        signals._end(TERM, None)
