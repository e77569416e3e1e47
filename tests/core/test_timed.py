"""The timed environment: who is ready first goes first, and who cannot go on is withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simbbm.core.engine import TimedEnvironment
from simbbm.core.errors import ScenarioError
from simbbm.core.graph import Ended, Graph, Node
from simbbm.core.system import Move
from tests.explore.toys import Toy

TIMES = {"cpu0": 3, "cpu1": 5, "cpu2": 3}


class Clocked:
    """A toy on a clock, with all that was asked of its latencies."""

    def __init__(self, toy: Toy) -> None:
        self.asked: list[tuple[str, int, bool]] = []
        self.environment = TimedEnvironment(Graph(toy), self._latency)

    def _latency(self, _: Node[Any], move: Move, now: int, waited: bool) -> int:
        self.asked.append((move.label, now, waited))
        return TIMES[move.agent]

    def play(
        self, most: int = 100, until: Callable[[Move], bool] | None = None
    ) -> list[tuple[int, str]]:
        self.environment.play(most, until)
        return [(moment.time, moment.move.label) for moment in self.environment.moments]


def test_clocks_run_side_by_side_and_those_of_others_go_on() -> None:
    clocked = Clocked(Toy({"cpu0": 3, "cpu1": 1}))

    assert clocked.play() == [(3, "cpu0.0"), (5, "cpu1.0"), (6, "cpu0.1"), (9, "cpu0.2")]
    assert clocked.environment.node.ended is Ended.HOLDS


def test_at_the_same_time_the_one_who_was_ready_first_goes_first() -> None:
    assert Clocked(Toy({"cpu2": 1, "cpu0": 1})).play() == [(3, "cpu2.0"), (3, "cpu0.0")]


def test_a_move_that_is_not_possible_any_more_is_withdrawn_and_begins_anew() -> None:
    def waits(state: tuple[str, ...], agent: str) -> bool:
        return agent == "cpu1" and state.count("cpu0") == 1

    clocked = Clocked(Toy({"cpu0": 2, "cpu1": 1}, waits=waits))

    assert clocked.play() == [(3, "cpu0.0"), (6, "cpu0.1"), (11, "cpu1.0")]
    assert [asked for asked in clocked.asked if asked[0] == "cpu1.0"] == [
        ("cpu1.0", 0, False),
        ("cpu1.0", 6, True),
    ]


def test_what_is_optional_never_happens() -> None:
    clocked = Clocked(Toy({"cpu0": 1}, optional=("cpu2",)))

    assert clocked.play() == [(3, "cpu0.0")]
    assert [label for label, _, _ in clocked.asked] == ["cpu0.0"]


def test_a_run_ends_where_it_fails_or_when_it_is_told() -> None:
    failing = Clocked(Toy({"cpu0": 9}, judge=lambda state: "p" if len(state) == 2 else None))
    failing.play()

    assert failing.environment.node.ended is Ended.VIOLATED
    assert len(failing.environment.moments) == 2
    assert len(Clocked(Toy({"cpu0": 9})).play(4)) == 4
    until = Clocked(Toy({"cpu0": 9})).play(until=lambda move: move.label == "cpu0.2")
    assert until[-1] == (9, "cpu0.2")


def test_an_authors_mistake_is_raised_as_it_was() -> None:
    def mistake(state: tuple[str, ...]) -> None:
        if state:
            raise ScenarioError("wrong", "mend it")

    with pytest.raises(ScenarioError) as error:
        Clocked(Toy({"cpu0": 2}, before=mistake)).play()

    assert error.value.hint == "mend it"
