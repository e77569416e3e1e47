"""README's way from a question to its answer: the file that it shows, and what check says of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(name: str) -> str:
    """The code block behind a marker."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def test_the_file_in_readme_gives_the_answer_in_readme(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(block("own"))
    command = [sys.executable, "-m", "simbbm", "check", "./mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    without_seconds = re.sub(r" +\d+\.\d s$", "", done.stdout, flags=re.MULTILINE)
    assert without_seconds.split() == block("own-answer").split()


def test_readme_is_short() -> None:
    assert README.count("\n") <= 250
