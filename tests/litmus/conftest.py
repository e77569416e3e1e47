"""Where the tests of the notation's tests are: the project's own, and the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.litmus.notation.reader import Line, read_file
from tests.cli.commandline import Cli
from tests.litmus.rows import OWN, published


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each row: `own_line` and `published_line`."""
    if "own_line" in metafunc.fixturenames:
        lines = [line for path in OWN for line in read_file(path)]
        metafunc.parametrize("own_line", lines, ids=[line.name for line in lines])
    if "published_line" in metafunc.fixturenames:
        metafunc.parametrize("published_line", _published())


def _published() -> list[Line | object]:
    path = published()
    if not path.is_file():
        why = "there are no published rows: --litmus FILE, or SIMBBM_LITMUS, says where they are"
        return [pytest.param(None, marks=pytest.mark.skip(reason=why), id="absent")]
    return [pytest.param(line, id=line.name) for line in read_file(path)]


@pytest.fixture
def simbbm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path)
