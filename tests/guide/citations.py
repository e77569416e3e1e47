"""What code and stories cite: rules, steps, mutants; and what pages say where things are."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from simbbm.cli.commands.guide import pages

ROOT = Path(__file__).parents[2]
FOLDERS = ("simbbm", "scenarios", "tests")

RULE = re.compile(r"\bR\d+[a-z]?\b(?![-+.]\w)")
STEP = re.compile(r"\b[FSB]\d+[a-z]?\b(?![-+.]\w)")
ARM_RULE = re.compile(r"\b[RI][B-DF-HJ-NP-TV-Z]{5}\b")
"""Names that the Arm ARM gives to rules: six consonants."""
MUTANT = re.compile(r"(?<![A-Za-z0-9])m(\d\d)(?![A-Za-z0-9])")
NOQA = re.compile(r"noqa: [A-Z\d, ]+")
"""What is said to a linter cites nothing."""
MUTANTS = re.compile(r"\bmutants? (\d+(?:(?:,? and|,? or|,| to) \d+)*)", re.IGNORECASE)


class Citation(NamedTuple):
    """Something that is cited, and where."""

    what: str
    where: str


def prose(text: str, *, strings: bool = False) -> Iterator[tuple[int, str]]:
    """Comments and docstrings of a module, by line; `strings`: all that stands in quotes, too."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], NOQA.sub("", token.string)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            yield node.lineno, ast.literal_eval(node.value)
        elif strings and isinstance(node, ast.Constant) and _is_text(node):
            yield node.lineno, str(node.value)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def cited(text: str) -> Iterator[str]:
    """Rules, steps and mutants that a text cites, these as `7`."""
    for pattern in (RULE, STEP, ARM_RULE):
        yield from (found[0] for found in pattern.finditer(text))
    for found in MUTANT.finditer(text):
        yield str(int(found[1]))
    for found in MUTANTS.finditer(text):
        yield from listed(found[1])


def listed(numbers: str) -> Iterator[str]:
    """The numbers of `7, 9 to 11 and 20`."""
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", numbers):
        yield from map(str, range(int(first), int(last or first) + 1))


def texts() -> Iterator[tuple[str, str]]:
    """Where a text stands, and what it says: of code, stories, tests, pages and README."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            at = path.relative_to(ROOT)
            for line, text in prose(path.read_text(), strings=folder == "scenarios"):
                yield f"{at}:{line}", text
    for topic, page in {**pages(), "README": (ROOT / "README.md").read_text()}.items():
        for line, text in enumerate(page.splitlines(), 1):
            yield f"{topic}:{line}", text


def citations() -> Iterator[Citation]:
    """All that is cited in the checkout."""
    for where, text in texts():
        yield from (Citation(what, where) for what in cited(text))


def definitions() -> set[str]:
    """What the pages define: the headings of rules, steps and mutants, and a table of names."""
    known = pages()
    return {
        *re.findall(r"^####? (R\d+[a-z]?)\b", known["rules"], re.MULTILINE),
        *re.findall(r"^\| `([A-Z]{6})` \|", known["rules"], re.MULTILINE),
        *re.findall(r"^### ([FSB]\d+[a-z]?) ", known["protocol"], re.MULTILINE),
        *re.findall(r"^## (\d+) ", known["mutants"], re.MULTILINE),
    }


def undefined(found: Iterator[Citation], known: set[str]) -> list[str]:
    """What is cited and not defined, with its place."""
    return [f"{where}: {what}" for what, where in found if what not in known]
