"""A command line in a directory of its own, and a scenario of one's own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.cli.commandline import Cli

TEMPLATE = Path(__file__).parent.parent.parent / "simbbm" / "cli" / "template.py"


@pytest.fixture
def simbbm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    yield Cli(tmp_path)
    structlog.reset_defaults()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's scenario file, as `simbbm new` writes it. Absolute: workers are elsewhere."""
    return Path(shutil.copy(TEMPLATE, tmp_path / "mine.py"))
