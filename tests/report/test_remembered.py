"""What is told and found out about a witness is remembered, and only while it still follows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from simbbm import discovery
from simbbm.explore.counterexample import explain
from simbbm.explore.search.prove import Prover, counterexample_of
from simbbm.explore.witness.index import entries, remove
from simbbm.explore.witness.recording import Witness, save
from simbbm.model import Model
from simbbm.report.columns import as_columns
from simbbm.report.forms import Request
from simbbm.report.told import remembered, telling
from simbbm.report.told.case import Case

BAD = "bbm_minimal::live_change"


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Witness, Path]:
    """A counterexample in its folder."""
    model = Model(discovery.find(BAD))
    witness = counterexample_of(model, Prover(model).prove())
    assert witness is not None
    return witness, save(witness, tmp_path / ".simbbm" / "witness")


def case_of(witness: Witness, path: Path | None, states: int = 500) -> Case:
    return Case(witness, lambda: (witness, Model(discovery.find(BAD))), path=path, states=states)


def text_of(case: Case) -> list[str]:
    return [line.text for line in as_columns(Request(case))]


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be replayed or found out anew."""
    monkeypatch.setattr(telling, "replayed", None)
    monkeypatch.setattr(explain, "explain", None)


def test_it_is_found_out_once(kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = case_of(*kept)
    shown = text_of(first)
    assert first.story == case_of(kept[0], None).story
    assert first.explained == explain.explain(kept[0], Model(discovery.find(BAD)), 500)
    forbid(monkeypatch)

    again = case_of(*kept)
    assert (first.story, first.explained) == (again.story, again.explained)
    assert text_of(again) == shown


@pytest.mark.parametrize("what", ["witness", "simbbm", "scenario", "shadow", "damage", "elsewhere"])
def test_where_it_may_not_follow_any_more_it_is_found_out_anew(
    what: str, kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    witness, path = kept
    helper = tmp_path / "later" / "its_helper.py"
    helper.parent.mkdir()
    helper.write_text("N = 1\n")
    monkeypatch.syspath_prepend(helper.parent)
    digest = remembered._digest(str(helper))
    module = remembered.Module("its_helper", str(helper), digest, str(helper))
    monkeypatch.setattr(remembered, "_modules", lambda: [module])
    text_of(case_of(witness, path))
    match what:
        case "witness":
            witness = msgspec.structs.replace(witness, message="another")
        case "simbbm":
            monkeypatch.setattr(remembered, "_sources", lambda: b"others")
        case "scenario":
            helper.write_text("N = 2\n")
        case "shadow":
            (tmp_path / "its_helper.py").write_text("N = 1\n")
            monkeypatch.syspath_prepend(tmp_path)
        case "damage":
            (tmp_path / ".simbbm" / "explained" / path.name).write_text('{"key": 1')
        case "elsewhere":
            path = save(witness, tmp_path / "mine")
    forbid(monkeypatch)

    with pytest.raises(TypeError):
        _ = case_of(witness, path).story


def test_a_module_that_is_on_no_path_is_known_by_its_file(
    kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "loaded_by_its_place.py"
    file.write_text("N = 1\n")
    module = ModuleType("loaded_by_its_place")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    story = case_of(*kept).story
    forbid(monkeypatch)

    assert case_of(*kept).story == story

    file.write_text("N = 2\n")
    with pytest.raises(TypeError):
        _ = case_of(*kept).story


def test_another_limit_is_another_search_and_the_same_story(
    kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    text_of(case_of(*kept))
    forbid(monkeypatch)
    other = case_of(*kept, states=501)

    assert other.story
    with pytest.raises(TypeError):
        _ = other.explained


def test_ctrl_c_leaves_the_story(
    kept: tuple[Witness, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(explain, "explain", interrupt)
    case = case_of(*kept)

    assert any(line.startswith("VIOLATED ") for line in text_of(case))
    assert case.interrupted
    assert case.explained is None


def test_it_goes_with_its_witness(kept: tuple[Witness, Path], tmp_path: Path) -> None:
    text_of(case_of(*kept))
    beside = tmp_path / ".simbbm" / "explained" / kept[1].name
    assert beside.is_file()

    remove(entries(kept[1].parent)[0])
    assert not beside.exists()


def test_a_folder_that_cannot_be_written_to_costs_no_answer(
    kept: tuple[Witness, Path], tmp_path: Path
) -> None:
    (tmp_path / ".simbbm" / "explained").write_text("no folder")

    assert text_of(case_of(*kept)) == text_of(case_of(kept[0], None))


def test_all_modules_count_but_those_that_simbbm_needs_itself() -> None:
    files = {module.file for module in remembered._modules()}

    assert any(file.endswith("simbbm_scenarios/bbm_minimal.py") for file in files)
    assert not any("/click/" in file or "/simbbm/arm64/" in file for file in files)


def test_what_is_remembered_is_shown_without_a_machine(kept: tuple[Witness, Path]) -> None:
    """As processes: the second one loads neither SimPy nor the machine."""
    program = (
        "import sys; from simbbm.cli.app import simbbm\n"
        "try: simbbm()\n"
        "finally: print([m for m in sys.modules if m == 'simpy' or m.startswith('simbbm.arm64')])"
    )
    command = [sys.executable, "-c", program, "show", str(kept[1])]
    first, again = (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        for _ in range(2)
    )

    assert first[0] == BAD
    assert first[:-1] == again[:-1]
    assert first[-1] != "[]" == again[-1]
