"""`simbbm guide`: its pages are there, installed or not, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simbbm.cli.commands.guide import pages
from tests.cli.commandline import Cli

ROOT = Path(__file__).parents[2]
PATHS = re.compile(r"`((?:simbbm|tests|scenarios|explore|arm64|core|check|linux)/[\w./]+)")


def test_pages_are_listed_with_their_titles(simbbm: Cli) -> None:
    lines = simbbm.ok("guide").splitlines()

    assert len(pages()) == len(lines)
    assert ["trust", "What a PROVED rests on"] in [line.split(maxsplit=1) for line in lines]


@pytest.mark.parametrize("topic", pages())
def test_a_page_is_shown_whole(simbbm: Cli, topic: str) -> None:
    told = simbbm.ok("guide", topic)

    assert pages()[topic] == told
    assert told.startswith("# ")
    assert all(len(line) <= 110 for line in told.splitlines())


def test_an_unknown_page_names_the_nearest(simbbm: Cli) -> None:
    result = simbbm("guide", "trut")

    assert 2 == result.exit_code
    assert "nearest: trust" in result.stderr


@pytest.mark.parametrize("topic", pages())
def test_files_that_a_page_names_exist(topic: str) -> None:
    for path in PATHS.findall(pages()[topic]):
        found = [ROOT / path, ROOT / "simbbm" / path]
        assert any(place.exists() for place in found), path
