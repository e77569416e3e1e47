"""Verdicts that are given beside tests: a CSV, a list of kinds, or what herd7 printed.

Whatever the form, a word is about the test's condition, as in herd7: `Never` or `Forbidden`, no
execution ends in it; `Always` or `Required`, every one does; `Sometimes` or `Allowed`. A test that
says `forall` is about ends in which its condition does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.reading import quoted
from simbbm.litmus.notation.reader import Line, Verdict

NEVER, SOMETIMES, ALWAYS = "never", "sometimes", "always"
_WORDS = {
    **dict.fromkeys(("never", "forbidden", "forbid"), NEVER),
    **dict.fromkeys(("sometimes", "allowed", "allow"), SOMETIMES),
    **dict.fromkeys(("always", "required", "require"), ALWAYS),
}
_FORMS = "NAME,forbidden, or NAME Allowed, or herd7's log with its lines `Observation NAME Never`"


def read_expected(path: Path) -> dict[str, str]:
    """Read verdicts by the names of tests; UsageError for a line that says none, with its number.

    Of herd7's log only the lines `Observation` are looked at.
    """
    lines = reading.text(path).splitlines()
    if any(line.startswith("Observation ") for line in lines):
        lines = [line if line.startswith("Observation ") else "" for line in lines]
    found: dict[str, str] = {}
    for name, word, where in _pairs(str(path), lines):
        if found.setdefault(name, word) != word:
            raise UsageError(f"{where}: {quoted(name)} has another verdict above", "keep one")
    if not found:
        raise UsageError(f"{quoted(path)} has no verdicts", f"write {_FORMS}")
    return found


def _pairs(file: str, lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Name, verdict, and where it is written."""
    for number, line in enumerate(lines, 1):
        text, where = line.strip(), f"{file}:{number}"
        if not text or text.startswith("#") or re.fullmatch(r"name\s*,\s*verdict", text):
            continue
        match = re.fullmatch(r"Observation\s+(\S+)\s+(\w+)(?:\s+\d+)*", text)
        match = match or re.fullmatch(r'"?(.+?)"?\s*[,\s]\s*"?(\w+)"?', text)
        word = _WORDS.get(match[2].lower()) if match else None
        if match is None or word is None:
            raise UsageError(f"{where}: `{quoted(text)}` says no verdict", f"write {_FORMS}")
        yield match[1], word, where


def with_expected(lines: Iterable[Line], expected: dict[str, str]) -> list[Line]:
    """The tests, those with a verdict in `expected` with that one."""
    return [
        line._replace(expected=_verdict(line, expected[line.name]))
        if line.name in expected
        else line
        for line in lines
    ]


def _verdict(line: Line, word: str) -> Verdict:
    """What a word says of the ends that a test is about."""
    quantifier = line.test.quantifier if line.test else "exists"
    return "forbidden" if word == (ALWAYS if quantifier == "forall" else NEVER) else "allowed"
