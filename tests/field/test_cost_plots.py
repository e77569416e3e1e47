"""Pictures of what a split costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from simbbm.core.errors import UsageError
from simbbm.field.cost import plots
from simbbm.field.cost.answer import Answer
from simbbm.field.cost.model import read_model
from simbbm.field.cost.tables import Blocks
from simbbm.field.cost.window import Estimator, Machine
from simbbm.report.field_rows import CostRow


class Small(Answer):
    """An answer with few machines to compare with."""

    def by_ram(self) -> dict[str, list[CostRow]]:
        own = self.machine
        return {"4k": [self._row(own._replace(blocks=Blocks(pud=n)), None) for n in (1, 2, 4)]}

    def by_cpus(self) -> list[CostRow]:
        return [self._row(self.machine._replace(cpus=n), None) for n in (2, 3)]


@pytest.fixture(scope="module")
def answer() -> Answer:
    return Small(Estimator(read_model(), 2), Machine(Blocks(pud=2), cpus=2), 1, 48)


def test_a_picture_is_the_same_bytes_and_says_what_it_shows(answer: Answer, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.svg", "b.svg", "c.png")]
    for file in files:
        plots.draw(answer, file)
    first, second, third = (file.read_bytes() for file in files)

    assert first == second
    for told in ("2 GiB, 4k pages, 2 CPUs", "RAM, GiB", "rendezvous", "release", "run whole"):
        assert told in first.decode()
    assert third.startswith(b"\x89PNG")


def test_without_matplotlib_it_says_what_to_install(
    answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="matplotlib") as error:
        plots.draw(answer, tmp_path / "a.svg")

    assert error.value.hint == "pip install 'simbbm[plots]'"
