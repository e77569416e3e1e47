"""What only a real process shows: imports, pipes that close, signals, full disks."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simbbm import __version__

LARGE = ("-p", "geometry=4k", "-p", "layout=contpmd", "-p", "flush=pages")
"""What the good one of them takes minutes for."""
TWO = ["linear_map_split::m02_no_cpu0_test", "linear_map_split::good"]
SIMBBM = [sys.executable, "-m", "simbbm"]


def run(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SIMBBM, *args], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_version_and_module() -> None:
    assert run("--version").stdout == f"simbbm {__version__}\n"


@pytest.mark.parametrize(
    ("args", "not_needed"),
    [
        (["--version"], {"simpy", "msgspec", "simbbm.scenario"}),
        (["list", "bbm_minimal"], {"simpy", "simbbm.explore.runs.run"}),
        (["run", "bbm_minimal::good"], {"simbbm.explore.witness.recording", "simbbm.report.trace"}),
        (
            ["check", "bbm_minimal::live_change"],
            {"simbbm.explore.counterexample.explain", "simbbm.report.told.story"},
        ),
    ],
)
def test_a_command_imports_what_it_needs(args: list[str], not_needed: set[str]) -> None:
    """`run` may take three times as long as importing simpy, and `check` four times."""
    never = {"rich", "structlog", "asyncio", "multiprocessing", "hypothesis"}
    code = (
        "import sys\nfrom simbbm.cli import main\n"
        f"sys.argv[1:] = {args}\n"
        "try: main()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert set() == (never | not_needed) & set(done.stderr.split())


def test_a_closed_pipe_ends_quietly() -> None:
    process = subprocess.Popen(
        [*SIMBBM, "run", "linear_map_split::good", "--trace"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()

    assert process.stderr.read() == ""
    assert process.wait() == 141
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        command = [*SIMBBM, "list", "bbm_minimal"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (5, "simbbm: stdout: No space left on device\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    "long",
    [("--max-states", "1", "--runs", "100m"), ("--max-states", "100m", "--max-seconds", "1h")],
    ids=["sample", "search"],
)
def test_ctrl_c_keeps_what_was_found(tmp_path: Path, long: tuple[str, ...], jobs: str) -> None:
    process = subprocess.Popen(
        [*SIMBBM, "check", *TWO, *LARGE, *long, "-j", jobs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout
    first = [process.stdout.readline() for _ in range(2)]
    time.sleep(0.5)  # the second one is under way
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)

    assert (130, "") == (process.returncode, errors)
    assert first[1].startswith("  ok    m02_no_cpu0_test  STUCK:terminates")
    assert "1 of 2 as expected, interrupted, 1 not finished." in rest


def test_relative_files_work_in_workers(tmp_path: Path) -> None:
    run("new", "mine.py", cwd=tmp_path)
    done = run("check", "mine.py", "--runs", "200", "-j", "2", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "2 of 2 as expected." in done.stdout


@pytest.mark.parametrize("folder", ["not/there", "x" * 100])
def test_workers_without_a_folder_for_temporary_files_are_refused(
    tmp_path: Path, folder: str
) -> None:
    """Nowhere else may be written to, either: no file may have a byte."""
    (tmp_path / ("x" * 100)).mkdir()
    done = run(
        *("stress", "bbm_minimal::good", "--runs", "100", "-j", "2"),
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path / folder)},
        preexec_fn=no_files if folder == "not/there" else None,
    )
    (line,) = done.stderr.splitlines()

    assert 2 == done.returncode
    assert "TMPDIR" in line


def no_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_word_that_the_terminal_cannot_show_is_no_error(tmp_path: Path) -> None:
    run("new", "mine.py", cwd=tmp_path)
    text = (tmp_path / "mine.py").read_text()
    (tmp_path / "mine.py").write_text(text.replace("A page moves", "A page \\N{SNOWMAN}"))
    done = run("list", "mine.py", cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "latin-1"})

    assert "    A page \\u2603 by break-before-make" in done.stdout
