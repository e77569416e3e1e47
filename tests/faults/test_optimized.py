"""Python's -O and -OO: no rule is an assertion, and no shipped story is lost with docstrings."""

import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parent.parent.parent / "simbbm" / "cli" / "template.py"
SCRIPT = """
import re
from pathlib import Path
from click.testing import CliRunner
from simbbm.cli.app import simbbm

def say(*line):
    shown = CliRunner().invoke(simbbm, line).output
    print(*line, re.sub(r"\\d+\\.\\d+ s", "", shown))

say("check", "linear_map_split::good", "-p", "cpus=2", "-j", "1")
say("check", "bbm_minimal", "-j", "1")
say("list")
for number, (was, wrong) in enumerate((
    ("await cpu.ldr(X)", "cpu.ldr(X)"),
    ("await cpu.ldr(X)", "await cpu.str(X, 'text')"),
    ("await cpu.ldr(X)", "await cpu.str(X, INVALID_DESCRIPTOR)"),
    ("await cpu.ldr(X)", "await cpu.str(PTE, 3)"),
    ("await cpu.ldr(X)", "await cpu.ldr('x')"),
    ("leaf(TABLES, RW))", "leaf(TABLES, RW), leaf(OLD, RW))"),
    ("is_valid)", "lambda entry: True)"),
    ("await cpu.ldr(X)", "return [1]"),
)):
    name = f"m{number}.py"
    Path(name).write_text(Path(TEMPLATE).read_text().replace(was, wrong))
    say("run", f"{name}::good", "--strategy", "random")
"""


def said(folder: Path, *flags: str) -> str:
    """What commands and mistakes come to."""
    script = SCRIPT.replace("TEMPLATE", repr(str(TEMPLATE)))
    command = [sys.executable, *flags, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True).stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Without a flag."""
    return said(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_it_says_the_same(tmp_path: Path, plain: str, flag: str) -> None:
    assert "The merged protocol" in plain
    assert plain.count("simbbm: ") >= 7
    assert plain == said(tmp_path, flag)
