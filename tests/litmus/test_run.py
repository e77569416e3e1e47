"""The search: outcomes, limits, shortcuts that lose nothing, and ways to outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simbbm import discovery
from simbbm.core.errors import UsageError
from simbbm.explore.runs.replay import Result as Replayed
from simbbm.explore.runs.replay import replay
from simbbm.explore.witness.recording import from_token, token
from simbbm.litmus.notation.reader import Line, LitmusTest
from simbbm.litmus.run import run
from simbbm.litmus.scenario import scenario_of
from simbbm.litmus.setup import HARDWARE
from simbbm.litmus.witness import witness_of
from simbbm.model import Model
from tests.litmus.rows import OWN, made

MP = (["st x = 1", "st y = 1"], ["r0 = ld y", "r1 = ld x"])
MAP = {"x": "leaf(pa1)", "y": "leaf(pa2)"}
MAX_STATES = 4_000
"""Of a comparison without shortcuts."""


def outcomes(line: Line, *, eager: bool) -> set[str] | None:
    """All final states of a row, if they can be had quickly."""
    assert line.test is not None
    result = run(line.test, eager=eager, max_states=MAX_STATES)
    return {ending.text for ending in result.endings} if result.complete else None


def test_outcomes_are_written_as_in_conditions() -> None:
    test = made(*MP, map=MAP, condition="1:r0=1 & mem[pa1]=1 & pte(x)=INV")
    found = [(ending.text, ending.reached) for ending in run(test).endings]

    end = "mem[pa1]=1; pte(x)=leaf(pa1)"
    assert found == [(f"1:r0={a}; 1:r1={b}; {end}", False) for a in (0, 1) for b in (0, 1)]


def test_in_order_shows_less() -> None:
    test = made(*MP, map=MAP, condition="1:r0=1 & 1:r1=0")

    assert run(test).reached
    assert run(test, window=1).reached is False


@pytest.mark.parametrize(
    ("condition", "observation"),
    [("1:r0=1", "Sometimes"), ("1:r0=2", "Never"), ("mem[pa1]=1", "Always")],
)
def test_observation(condition: str, observation: str) -> None:
    assert run(made(*MP, map=MAP, condition=condition)).observation == observation


def test_a_limit_is_never_silent() -> None:
    forbidden = run(made(*MP, map=MAP, condition="1:r0=2"), max_states=3)
    whole = run(made(*MP, map=MAP, condition="1:r0=2"))

    late = run(made(*MP, map=MAP, condition="1:r0=2"), max_seconds=0)

    assert (forbidden.complete, forbidden.reached) == (False, None)
    assert (late.complete, late.reached) == (False, None)
    assert (whole.complete, whole.reached) == (True, False)
    assert forbidden.states < whole.states


def test_a_load_that_stops_its_thread_has_no_value() -> None:
    ops = ["r1 = 0", "r1 = ld x"]
    stopped = made(ops, map={"x": "INV"}, condition="0:r1=0", on_fault={})
    ended = made(ops, map={"x": "INV"}, condition="0:r1=0", on_fault="stop")
    handled = made(ops, map={"x": "INV"}, condition="0:r1=0", on_fault={"P0": {"fault": []}})

    assert run(stopped).reached is False
    assert [e.text for e in run(stopped).endings] == ["0:r1=?; fault(P0@1,translation)"]
    assert run(ended).reached
    assert run(handled).reached


def test_a_load_that_stops_a_handler_has_no_value_either() -> None:
    test = made(["svc", "r2 = 1"], map={"x": "INV"}, on_fault={"P0": {"svc": ["r1 = ld x"]}})

    assert run(test).reached is False


def test_shortcuts_lose_no_outcome(own_line: Line) -> None:
    slowly = outcomes(own_line, eager=False)
    if slowly is None:
        pytest.skip(f"more than {MAX_STATES} states")

    assert slowly == outcomes(own_line, eager=True)


def test_shortcuts_lose_no_outcome_of_published_rows(published_line: Line) -> None:
    slowly = outcomes(published_line, eager=False)
    if slowly is None:
        pytest.skip(f"more than {MAX_STATES} states")

    assert slowly == outcomes(published_line, eager=True)


def test_shortcuts_are_shorter() -> None:
    test = made(["st pte(x) = INV", "dsb ish", "isb", "r1 = ld x"], ["r1 = ld pte(x)", "dsb ish"])

    assert run(test).states < run(test, eager=False).states


def test_every_outcome_has_a_witness(own_line: Line) -> None:
    """Of a sample: one in eight is enough to see that ways and labels fit."""
    assert own_line.test is not None
    model = Model(scenario_of(own_line.test, HARDWARE))
    for ending in run(own_line.test).endings[::8]:
        witness = witness_of(model, ending.way, ending.text)
        shown = replay(witness, model)

        assert shown.result is Replayed.REPRODUCED
        assert (witness.property is not None) == ending.reached
        assert replay(from_token(token(witness)), model).digest == shown.digest


def test_labels_tell_moves_apart(own_line: Line) -> None:
    assert isinstance(own_line.test, LitmusTest)
    for labels in labels_met(own_line.test):
        assert len(set(labels)) == len(labels)


def test_labels_name_attributes_where_the_page_is_not_enough() -> None:
    test = made(["st pte(x) = leaf(pa1,ro)"], ["r1 = ld x"], map=MAP, condition="1:r1=0")
    met = list(labels_met(test))
    translated = [[label for label in labels if "ld translates" in label] for labels in met]
    page = translated[0][0]
    both = f"{page}(ro,user)", f"{page}(user,user-write)"

    assert {(page,), both, ()} == {tuple(t) for t in translated}


def labels_met(test: LitmusTest, limit: int = 200) -> Iterator[list[str]]:
    """The labels of the moves of each state, of the first `limit` states."""
    machine = Model(scenario_of(test), {}).system
    met = {machine.initial(): None}
    waiting = [*met]
    while waiting and len(met) < limit:
        state = waiting.pop()
        moves = machine.moves(state)
        yield [move.label for move in moves]
        following = [machine.apply(state, move) for move in moves]
        waiting += [after for after in following if after not in met]
        met |= dict.fromkeys(following)


def test_a_test_is_found_by_file_and_name() -> None:
    path = next(path for path in OWN if path.stem == "context")
    found = discovery.find(f"{path}::svc-synchronises")

    assert (found.id, found.name) == (f"{path.as_posix()}::svc-synchronises", "svc-synchronises")
    assert found.expect.holds
    assert not discovery.find(f"{path}::svc-is-no-dsb").expect.holds
    with pytest.raises(UsageError, match=r"did you mean .*svc-synchronises"):
        discovery.find(f"{path}::svc-synchronise")
    with pytest.raises(UsageError, match="there is no file"):
        discovery.find("absent.jsonl::x")


def test_a_file_without_tests_says_why(tmp_path: Path) -> None:
    bad, empty = tmp_path / "bad.jsonl", tmp_path / "empty.jsonl"
    bad.write_text("nonsense\n", encoding="utf-8")
    empty.write_text("\n", encoding="utf-8")

    with pytest.raises(UsageError, match="not JSON"):
        discovery.select([str(bad)])
    with pytest.raises(UsageError, match="is empty"):
        discovery.select([str(empty)])
