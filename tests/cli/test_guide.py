"""`simbbm guide`: its pages are there, installed or not."""

from __future__ import annotations

import pytest

from simbbm.cli.commands.guide import pages
from tests.cli.commandline import Cli


def test_pages_are_listed_with_their_titles(simbbm: Cli) -> None:
    lines = simbbm.ok("guide").splitlines()

    assert len(pages()) == len(lines)
    assert ["trust", "What a PROVED rests on"] in [line.split(maxsplit=1) for line in lines]


@pytest.mark.parametrize("topic", pages())
def test_a_page_is_shown_whole(simbbm: Cli, topic: str) -> None:
    told = simbbm.ok("guide", topic)

    assert pages()[topic] == told
    assert told.startswith("# ")
    prose = [
        line for line in told.splitlines() if not line.startswith("|")
    ]  # tables fold on a terminal
    assert all(len(line) <= 110 for line in prose)


def test_an_unknown_page_names_the_nearest(simbbm: Cli) -> None:
    result = simbbm("guide", "trut")

    assert 2 == result.exit_code
    assert "nearest: trust" in result.stderr
