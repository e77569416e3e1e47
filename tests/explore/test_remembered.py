"""What was found out about a counterexample is remembered, and only while it still follows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from simbbm import discovery
from simbbm.explore.counterexample import remembered
from simbbm.explore.counterexample.explain import explain
from simbbm.explore.search.prove import Prover, counterexample_of
from simbbm.explore.witness.index import entries, remove
from simbbm.explore.witness.recording import Witness, save
from simbbm.model import Model

BAD = "bbm_minimal::live_change"


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Witness, Path]:
    """A counterexample in its folder."""
    model = Model(discovery.find(BAD))
    witness = counterexample_of(model, Prover(model).prove())
    assert witness is not None
    return witness, save(witness, tmp_path / ".simbbm" / "witness")


def found(witness: Witness, path: Path | None, states: int = 500) -> object:
    return remembered.explained(witness, Model(discovery.find(BAD)), path, states)


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be found out anew."""
    monkeypatch.setattr(remembered, "explain", None)


def test_it_is_found_out_once(kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = found(*kept)
    assert first == explain(kept[0], Model(discovery.find(BAD)), 500)
    forbid(monkeypatch)

    assert first == found(*kept)


@pytest.mark.parametrize("what", ["limit", "witness", "simbbm", "scenario", "damage", "elsewhere"])
def test_where_it_may_not_follow_any_more_it_is_found_out_anew(
    what: str, kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    witness, path = kept
    found(witness, path)
    states = 500
    match what:
        case "limit":
            states = 501
        case "witness":
            witness = msgspec.structs.replace(witness, message="another")
        case "simbbm":
            monkeypatch.setattr(remembered, "_sources", lambda: b"others")
        case "scenario":
            other = tmp_path / "helper.py"
            other.write_text("N = 1\n")
            monkeypatch.setattr(remembered, "_files_of_scenarios", lambda: [str(other)])
        case "damage":
            (tmp_path / ".simbbm" / "explained" / path.name).write_text('{"key": 1')
        case "elsewhere":
            path = save(witness, tmp_path / "mine")
    forbid(monkeypatch)

    with pytest.raises(TypeError):
        found(witness, path, states)


def test_it_goes_with_its_witness(kept: tuple[Witness, Path], tmp_path: Path) -> None:
    found(*kept)
    beside = tmp_path / ".simbbm" / "explained" / kept[1].name
    assert beside.is_file()

    remove(entries(kept[1].parent)[0])
    assert not beside.exists()


def test_a_folder_that_cannot_be_written_to_costs_no_answer(
    kept: tuple[Witness, Path], tmp_path: Path
) -> None:
    (tmp_path / ".simbbm" / "explained").write_text("no folder")

    assert found(*kept) == found(kept[0], None)


def test_all_sources_count_but_those_that_only_tell() -> None:
    files = {*remembered._files_of_scenarios()}

    assert any(file.endswith("simbbm_scenarios/bbm_minimal.py") for file in files)
    assert not any("/click/" in file or "/simbbm/arm64/" in file for file in files)
