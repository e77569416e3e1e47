"""Cost models: what is read, what is refused, and machines that are drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simbbm.core.errors import UsageError
from simbbm.field.cost.model import OPERATIONS, SHIPPED, Range, read_model

TEXT = SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_model_has_a_source_for_every_range() -> None:
    model = read_model()

    assert tuple(model.ranges) == OPERATIONS
    assert model.ranges["isb"] == Range(5_000, 12_000, 40_000, model.ranges["isb"].source)
    assert all(values.low < values.typical < values.high for values in model.ranges.values())
    known = ("assumption", "Arm's", "fitted", "published")
    assert all(values.source.startswith(known) for values in model.ranges.values())


def test_machines_cover_every_range_evenly_whatever_the_seed() -> None:
    model = read_model()
    for seed in (0, 1):
        machines = model.drawn(seed, 20)
        for name, values in model.ranges.items():
            times = sorted(machine[name] for machine in machines)
            assert values.low <= times[0] < values.at(65_536 // 20) <= times[1]
            assert sum(time < values.typical for time in times) == 10
            assert values.at(65_536 - 65_536 // 20) - 1 <= times[-1] <= values.high
    assert model.drawn(0, 20) == model.drawn(0, 20) != model.drawn(1, 20)
    assert len({machine["isb"] < machine["dsb"] for machine in model.drawn(0, 20)}) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"\[isb\]", "[isbn]", "a cost model has no isbn (did you mean isb?)"),
        (r"\[isb\][^\[]+", "", "a cost model lacks isb"),
        (r"(\[isb\][^\n]*\n)low", r"\1lower", "isb has no lower (did you mean low?)"),
        (r"(\[isb\][^\n]*\n)low[^\n]*", r"\1low = 99", "isb is not in order"),
        (r"(\[isb\][^\n]*\n)low[^\n]*", r"\1low = -1", "isb.low is -1"),
        (r"(\[isb\][^\n]*\n)low[^\n]*", r"\1low = nan", "isb.low is nan"),
        (r"(\[isb\][^\n]*\n)low[^\n]*", r"\1low = true", "isb.low is True"),
        (r"(\[isb\][^\n]*\n)low[^\n]*", r"\1", "isb lacks low"),
        (r"jitter = [\d.]+", "jitter = 1.5", "jitter is 1.5 (write a number from 0 to 0.9)"),
        (r"name = .*", "name = 7", "its name is no line of text"),
        (r"name = .*", "name =", "not TOML"),
        (r'source = "assumption"', 'source = ""', "has no source"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    text, changed = re.subn(old, new, TEXT, count=1)
    assert changed
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read_model(path)

    assert said in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
