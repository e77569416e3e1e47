"""Every form does what QEMU's does (Unicorn), over random encodings in random states."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from tests.binary.oracle import Oracle, compare, compared, words


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    pytest.importorskip("unicorn", reason="unicorn is not installed: it is in the extra dev")
    return Oracle()


def differences(oracle: Oracle, encodings: int, states: int, seed: int = 1) -> list[str]:
    draw, found = random.Random(seed), []
    for form in compared():
        for word in islice(words(form, draw), encodings):
            oracle.load(word)
            found += [compare(oracle, form, word, draw) for _ in range(states)]
    return [f"{wrong.form}: {wrong.word:08x} {wrong}" for wrong in found if wrong]


def test_every_form_is_as_in_the_oracle(oracle: Oracle) -> None:
    assert [] == differences(oracle, encodings=12, states=8)


def test_a_wrong_form_is_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A carry that is lost is met by every form that subtracts."""
    monkeypatch.setattr(
        "simbbm.binary.a64.immediate.added",
        lambda a, b, _, width: ((a + b) % (1 << width), 0),
    )
    found = {text.partition(":")[0] for text in differences(oracle, encodings=4, states=3)}

    assert {"add, sub (immediate)", "add, sub (register)", "ccmp (immediate)"} <= found


@pytest.mark.quality
@pytest.mark.timeout(7_200)
def test_a_million_comparisons(oracle: Oracle) -> None:
    assert [] == differences(oracle, encodings=850, states=27, seed=2)
