"""What others wrote is bounded before it is used, and refused in one line."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simbbm.core.errors import UsageError
from simbbm.explore.runs.walk import EFFORT_MAX
from simbbm.explore.witness.record import STATE_EVERY
from simbbm.explore.witness.recording import load, read, save_as, token
from simbbm.host import reading
from simbbm.host.reading import STEPS_MAX, decimal, number
from tests.cli.commandline import Cli
from tests.faults.conftest import RECORDED

ROOT = Path(__file__).parent.parent.parent
MANY = "9" * 5_000
"""More digits than Python reads or writes."""


@pytest.mark.parametrize(
    ("text", "value"),
    [("42", 42), ("0x2a", 42), ("9" * 18, 10**18 - 1), ("9" * 19, None), (MANY, None)]
    + [
        (text, None)
        for text in ("", "-1", "+1", "1_0", " 1", "1\n", "\u0663", "\u00b2", "0x", "1.5", "1e3")
    ],
)
def test_numbers(text: str, value: int | None) -> None:
    assert value == number(text)
    assert (None if "x" in text else value) == decimal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"{", "Input data was truncated"),
        (b"\xff", "invalid"),
        (MANY.encode(), "out of range"),
        (b'"\\ud800"', "truncated"),
    ],
)
def test_json(text: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reading.json(text)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FILE_MAX", 1_000)
    (tmp_path / "large").write_bytes(b"x" * 1_001)
    (tmp_path / "latin").write_bytes(b"\xe9")

    for name, message in (
        ("large", "larger than"),
        ("latin", "not UTF-8"),
        ("none", "No such file"),
        ("", "Is a directory"),
        ("\0", "no possible name"),
        ("x" * 300, "name too long"),
    ):
        with pytest.raises(UsageError, match=message):
            reading.text(tmp_path / name)
    with pytest.raises(UsageError, match="larger than"):
        reading.content(Path("/dev/zero"))


def test_what_is_repeated_of_a_text_is_short() -> None:
    assert len(reading.quoted("x" * 10**6)) < 200
    assert "digits" in reading.quoted(10**5_000)
    assert reading.nearest("x" * 10**6, ["x"]) is None


ALLOWED = {
    "reading.py": "it is where things are read",
    "new.py": "the template is ours",
    "guide.py": "so are the pages",
    "rules.py": "one of which it reads",
    "document.py": "and what a page is put together from",
    "remembered.py": "simbbm's own sources, which its answers depend on",
    "memory.py": "the kernel's, about this process",
    "completion.py": "bash's",
    "sources.py": "simbbm's own sources, and a table beside them",
    "known.py": "the package's tables; those of a user go through reading.py",
}


def test_nothing_else_reads_files_or_json() -> None:
    pattern = re.compile(r"\.read_(text|bytes)\(|json\.decode|\.open\(\"rb|\.load\(")
    files = [p for p in (ROOT / "simbbm").rglob("*.py") if p.name not in ALLOWED]

    assert len(files) > 100
    assert not [str(p) for p in files if pattern.search(p.read_text())]
    assert pattern.search("msgspec.json.decode(text)")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": ""}, "its digest is not 32 hexadecimal digits"),
        ({"digest": "", "states": []}, "its digest is not 32 hexadecimal digits"),
        ({"digest": "g" * 32}, "its digest is not 32 hexadecimal digits"),
        ({"steps": -1}, "it has -1 steps, and a run has 0 to 200,000"),
        ({"steps": 10**12}, "it has 1,000,000,000,000 steps, and a run has 0 to 200,000"),
        ({"steps": 10**400}, "it has"),
        ({"states": ["0"] * 9}, "it has more states than steps"),
        ({"property": None}, "it is VIOLATED of no property"),
        ({"verdict": "HOLDS"}, "it is HOLDS and has a property"),
        ({"property": "a\nREPRODUCED"}, "a name in it is longer than a line"),
        ({"scenario": "x" * 5_000}, "a name in it is longer than a line"),
        ({"decisions": [{"step": 0, "label": "\t", "occurrence": 1}]}, "longer than a line"),
        ({"decisions": [{"step": 9, "label": "", "occurrence": 1}]}, "out of order"),
        ({"params": {"noabort": 0}}, "noabort=0: not allowed"),
        ({"params": {"noabort": "9" * 300}}, "not allowed"),
        ({"params": {"noabort": MANY}}, "longer than a line"),
        ({"params": {"noabort": []}}, "not a witness"),
        ({"schema": f"simbbm-witness/{MANY}"}, "newer schema"),
        ({"schema": "simbbm-witness/\u0663"}, "not a witness"),
        ({"schema": []}, "not a witness"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "show", "shrink"])
def test_a_witness_says_what_a_run_can_be_like(
    simbbm: Cli, spoil: Any, command: str, changes: dict[str, Any], message: str
) -> None:
    assert message in simbbm.refused(command, spoil(**changes))


def test_a_token_says_what_a_run_can_be_like(simbbm: Cli) -> None:
    """Steps without end on a scenario that spins would be followed for ever."""
    recorded = load(RECORDED)
    for changes in ({"steps": 10**12}, {"steps": -1}, {"digest": "0" * 9}, {"digest": ""}):
        text = token(msgspec.structs.replace(recorded, **changes))
        for command in ("replay", "show", "shrink"):
            assert "token" in simbbm.refused(command, text)


def test_a_token_of_any_length_is_refused_at_once() -> None:
    with pytest.raises(UsageError):
        read("sb2" + "a" * (5 << 20))


def test_only_the_digest_is_wrong(simbbm: Cli, spoil: Any) -> None:
    told = simbbm.ok("replay", spoil(digest="0" * 32))
    holds = simbbm.row("run", "bbm_minimal::good", "-o", "w.json")
    wrong = json.loads(Path("w.json").read_text()) | {"digest": "0" * 32}
    Path("w.json").write_text(json.dumps(wrong))

    assert "REPRODUCED" in told
    assert "all that was recorded fits but the digest: the witness was edited" in told
    assert "HOLDS" == holds["verdict"]
    assert "all that was recorded fits but the digest" in simbbm.ok("replay", "w.json", code=4)


def test_show_tells_no_story_that_ends_otherwise(simbbm: Cli, spoil: Any) -> None:
    for changes in ({"property": "no_tlb_conflict"}, {"steps": 6}, {"verdict": "STUCK"}):
        assert "another way" in simbbm.refused("show", spoil(**changes), code=4)


def test_many_decisions_that_lead_nowhere_are_given_up(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    monkeypatch.setattr(import_module("simbbm.explore.runs.walk"), "EFFORT_MAX", 1_000)
    decisions = [{"step": i, "label": "cpu0:x", "occurrence": i + 1} for i in range(500)]
    spoilt = spoil(steps=500, decisions=decisions)

    assert EFFORT_MAX <= 1_000_000  # a few seconds
    assert "too long to be looked for by label" in simbbm.ok("replay", spoilt, code=4)


def test_the_longest_run_can_be_recorded_and_read_back(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a command makes fits: the bound of steps is that of `--max-steps`."""
    assert "is more than 200,000" in simbbm.refused(
        "run", "bbm_minimal::good", "--max-steps", STEPS_MAX + 1
    )
    few = STEPS_MAX // 10
    decision = load(RECORDED.with_name("linear_map_split.m10_no_dsb_after_tlbi.json")).decisions[0]
    long = msgspec.structs.replace(
        load(RECORDED),
        steps=few,
        decisions=tuple(
            msgspec.structs.replace(decision, step=i, occurrence=i + 1) for i in range(few)
        ),
        states=("0" * 32,) * (few // STATE_EVERY),
    )

    path = save_as(long, Path("long.json"))

    assert long == load(path)
    assert 10 * path.stat().st_size < reading.FILE_MAX
    monkeypatch.setattr(import_module("simbbm.explore.witness.files"), "FILE_MAX", 1_000)
    with pytest.raises(UsageError, match="too large for a file"):
        save_as(long, Path("longer.json"))
    assert not Path("longer.json").exists()


def test_parameters_that_are_missing_have_their_defaults(simbbm: Cli, spoil: Any) -> None:
    """A witness may be older than a parameter of its scenario."""
    old = spoil(params={})

    assert "REPRODUCED" == simbbm.row("replay", old)["result"]
    assert "noabort=none hardware=delayed" in simbbm.ok("show", old)
    row = simbbm.row("shrink", old)
    assert {"noabort": "none", "hardware": "delayed"} == row["params_before"]
    assert f"token:       {row['token']}" in simbbm.ok("shrink", old)


def test_every_recorded_witness_of_the_corpus_is_still_one(simbbm: Cli) -> None:
    for path in sorted(RECORDED.parent.glob("linear_map_split.*.json"))[:3]:
        assert "window" not in json.loads(path.read_text())["params"]
        assert "REPRODUCED" == simbbm.row("replay", path)["result"]
