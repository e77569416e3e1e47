"""The rules of the machine's virtual memory, and which tests pin each: `simbbm guide rules`, read.

A test of the project names its rules as tags (`R7`); published tests are known by their names. The
page is the one place where a rule is stated: a heading is what it says, and the items `forbidden`
and `allowed` under it are the published tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from typing import NamedTuple

_HEADING = re.compile(r"^### (R\d+) (.+)$", re.MULTILINE)
_PINNED = re.compile(r"^\* (?:forbidden|allowed)\b[^:]*:(.*(?:\n  .*)*)", re.MULTILINE)


class Rule(NamedTuple):
    """A rule, and the published tests that pin it."""

    meaning: str
    published: tuple[str, ...] = ()


def read_rules(page: str) -> dict[str, Rule]:
    """Return the rules that a page tells, by number."""
    _, *parts = _HEADING.split(page)
    rules = {}
    for number, meaning, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        tests = [name for pinned in _PINNED.findall(text) for name in re.findall("`(.+?)`", pinned)]
        rules[number] = Rule(meaning, tuple(dict.fromkeys(tests)))
    return rules


RULES = read_rules((resources.files("simbbm") / "guide" / "rules.md").read_text(encoding="utf-8"))


def rules_of(name: str, tags: Iterable[str]) -> list[str]:
    """Return the rules that a test is about."""
    tagged = [tag for tag in tags if tag in RULES]
    return tagged or [rule for rule, r in RULES.items() if name in r.published]
