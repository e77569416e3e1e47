"""Some hundreds of inputs of the fuzz; `nox -s fuzz` feeds 200,000."""

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fuzz_readers import BYTES_MAX, READERS, SECONDS_MAX, fuzz, one
from tests.faults.inputs import Draw


def test_whatever_is_read_is_accepted_or_refused() -> None:
    found = fuzz(0, 0, 700)

    assert not found.failures
    assert found.slowest[0] < SECONDS_MAX
    assert found.peak < BYTES_MAX
    readers = {name.partition(" ")[0] for name in found.counts}
    assert {reader.__name__ for _, reader in READERS} == readers
    for name in (
        *("witness REPRODUCED", "litmus run", "notation accepted", "number accepted"),
        *("report accepted", "certificate accepted", "remembered accepted", "witnesses chosen"),
    ):
        assert found.counts[name], name


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("simbbm.explore.witness.files.mistake", KeyError("k")),
        ("simbbm.litmus.notation.reader.check", RecursionError()),
        ("simbbm.explore.strategies.named.nearest", ValueError("x")),
    ],
)
def test_the_fuzz_notices(
    monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception, tmp_path: Any
) -> None:
    def wrong(*_: Any, **__: Any) -> Any:
        raise error

    module, _, name = broken.rpartition(".")
    monkeypatch.setattr(import_module(module), name, wrong)
    assert fuzz(0, 0, 200).failures


def test_an_input_depends_on_its_number_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    draws = [[Draw(3, n).below(1_000) for _ in range(5)] for n in (7, 8)]

    assert draws[0] != draws[1]
    assert one(3, 7, Counter()) is None
