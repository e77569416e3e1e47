"""Witnesses: any schedule can be recorded, every record replays, and files keep it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbbm import discovery
from simbbm.core.choice import Polite
from simbbm.core.errors import UsageError
from simbbm.core.graph import Node
from simbbm.explore.runs.exact import followed
from simbbm.explore.runs.play import play
from simbbm.explore.runs.replay import Result, model_of, replay
from simbbm.explore.runs.run import run_one
from simbbm.explore.witness.recording import (
    Found,
    Witness,
    from_token,
    load,
    read,
    save,
    token,
    witness_from,
    witness_of,
)
from simbbm.model import Model
from simbbm.scenario import Scenario

GOOD, LIVE, LEFT = (
    discovery.find(f"bbm_minimal::{name}") for name in ("good", "live_change", "no_invalidation")
)


class Scripted:
    """Chooses what it is told to, then politely."""

    def __init__(self, script: list[int]) -> None:
        self._script = iter(script)
        self._polite = Polite()

    def choose(self, node: Node[Any]) -> int:
        k = next(self._script, None)
        if k is None:
            return self._polite.choose(node)
        return self._polite.observe(node, k % len(node.moves))


@settings(max_examples=15)
@given(script=st.lists(st.integers(0, 5), max_size=25), which=st.sampled_from([GOOD, LEFT]))
def test_any_schedule_survives_file_and_token(script: list[int], which: Scenario) -> None:
    run = play(Model(which), Scripted(script), 500)
    witness = witness_from(run)
    content = msgspec.json.encode(witness)
    for again in (msgspec.json.decode(content, type=Witness), from_token(token(witness))):
        replayed = replay(again, model_of(again, which))
        assert replayed.result is Result.REPRODUCED
        assert (replayed.digest, replayed.steps) == (run.digest, run.steps)
        assert followed(again, model_of(again, which)).labels == run.labels


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("scenario", [GOOD, LEFT], ids=lambda s: s.name)
def test_every_prefix_of_a_schedule_replays(scenario: Scenario, number: int) -> None:
    whole = run_one(Model(scenario), "default", seed=3, number=number)
    for length in range(whole.steps + 1):
        witness = witness_of(Model(scenario), "default", 3, number, max_steps=length)
        path = followed(witness, model_of(witness, scenario)).path
        assert replay(witness, model_of(witness, scenario)).result is Result.REPRODUCED
        assert path == whole.path[:length]


def test_only_what_differs_from_the_polite_schedule_is_recorded() -> None:
    assert witness_of(Model(GOOD), "polite", 0).decisions == ()
    witness = witness_of(Model(GOOD), "random", 1)
    assert 0 < len(witness.decisions) < witness.steps
    assert all(decision.label != decision.instead_of for decision in witness.decisions)


def test_a_witness_says_what_it_is_of() -> None:
    witness = witness_of(Model(LIVE, {"noabort": "none"}), "random", 9, 4)
    result = run_one(Model(LIVE), "random", 9, 4)
    assert witness.schema == "simbbm-witness/1"
    assert witness.scenario == "bbm_minimal::live_change"
    assert witness.params == {"noabort": "none", "hardware": "delayed"}
    assert (witness.verdict, witness.property) == ("VIOLATED", "no_size_change_seen")
    assert (witness.message, witness.steps) == (result.message, result.steps)
    assert witness.digest == result.digest
    assert witness.found == Found("random", 9, 4)
    assert len(witness.states) == -(-witness.steps // 8)


def test_a_saved_witness_can_be_read(tmp_path: Path) -> None:
    witness = witness_of(Model(LEFT), "default", 2, 1)
    path = save(witness, tmp_path / ".simbbm" / "witness")
    assert load(path) == read(str(path)) == witness
    assert read(token(witness)) == from_token(token(witness))
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert (tmp_path / ".simbbm" / ".gitignore").read_text() == "*\n"


def test_the_same_content_has_the_same_name_everywhere(tmp_path: Path) -> None:
    witness = witness_of(Model(LEFT), "default", 2, 1)
    paths = [save(witness, tmp_path / folder) for folder in ("a", "b", "a")]
    assert paths[0] == paths[2]
    assert paths[0].name == paths[1].name
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(paths[0].stem) == 12


def test_a_name_is_never_reused_for_other_content(tmp_path: Path) -> None:
    witness = witness_of(Model(LEFT), "default", 2, 1)
    first = save(witness, tmp_path)
    first.write_text("something else\n")
    second = save(witness, tmp_path)
    assert first.read_text() == "something else\n"
    assert second.name.startswith(first.stem)
    assert load(second) == witness
    assert save(witness, tmp_path) == second


def test_a_new_folder_hides_from_git_and_an_old_one_is_left_alone(tmp_path: Path) -> None:
    witness = witness_of(Model(LIVE), "polite", 0)
    save(witness, tmp_path)
    save(witness, tmp_path / "new")
    assert not (tmp_path / ".gitignore").exists()
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"


def content_of(**changes: Any) -> bytes:
    data = json.loads(msgspec.json.encode(witness_of(Model(GOOD), "random", 1)))
    return json.dumps({k: v for k, v in (data | changes).items() if v is not ...}).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "truncated"),
        (b"hello", "not a witness"),
        (b"[]", "not a witness"),
        (b"{}", "not a witness"),
        (b'{"schema": 3}', "not a witness"),
        (b"\xff\xfe{", "not a witness"),
        (b'{"schema": "simbbm-witness/1"}', "missing required field"),
        (content_of()[:-1], "truncated"),
        (content_of()[:200], "truncated"),
        (content_of(schema="simbbm-witness/2"), "newer schema"),
        (content_of(schema="simbbm/1"), "not a witness"),
        (content_of(schema=...), "not a witness"),
        (content_of(verdict="FINE"), "not a witness"),
        (content_of(steps=...), "missing required field `steps`"),
        (content_of(steps="many"), "not a witness"),
        (content_of(steps=1), "out of order"),
        (content_of(decisions=[{"step": -1, "label": "x", "occurrence": 1}]), "out of order"),
        (content_of(decisions=[{"step": 1, "label": "x", "occurrence": 1}] * 2), "out of order"),
    ],
)
def test_a_bad_file_is_said_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_said_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read(str(path))
