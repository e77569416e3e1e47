"""Cuts a herd7 test into words, each with its line and column; comments are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from simbbm.host.reading import quoted
from simbbm.litmus.herd.tree import At
from simbbm.litmus.notation.syntax import Malformed

_TOKEN = re.compile(
    r'(?P<string>"[^"\n]*")'
    r"|(?P<number>-?(?:0[xX][0-9A-Fa-f]+|\d+)\b)"
    r"|(?P<name>[A-Za-z_%$][\w.$%]*)"
    r"|(?P<mark>/\\|\\/|=>|<>|!=|[][{}();:,=|~*#!&<>+-])"
)
_BLANK = re.compile(r"\s+")


class Token(NamedTuple):
    """A word."""

    kind: str
    """`name`, `number`, `string`, `mark`, or `end`."""
    text: str
    at: At


def error(file: str, at: At, message: str, hint: str | None = None) -> Malformed:
    """The error for something in a file."""
    return Malformed(f"{file}:{at.line}:{at.column}: {message}", hint)


def without_comments(text: str) -> str:
    """Blank out comments, which nest; lines and columns stay."""
    parts: list[str] = []
    depth = start = 0
    for match in re.finditer(r"\(\*|\*\)", text):
        if match[0] == "(*":
            if not depth:
                parts.append(text[start : match.start()])
                start = match.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                parts.append(re.sub(r"\S", " ", text[start : match.end()]))
                start = match.end()
    rest = text[start:]
    return "".join(parts) + (re.sub(r"\S", " ", rest) if depth else rest)


def tokens(file: str, text: str, first_line: int) -> Iterator[Token]:
    """The words of a text that begins in a line."""
    line, start, at = first_line, 0, 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            breaks = blank[0].count("\n")
            if breaks:
                line += breaks
                start = text.rindex("\n", at, blank.end()) + 1
            at = blank.end()
            continue
        match = _TOKEN.match(text, at)
        place = At(line, at - start + 1)
        if match is None:
            raise error(
                file,
                place,
                f"`{quoted(text[at : at + 20].split(maxsplit=1)[0])}` is not understood",
            )
        yield Token(match.lastgroup or "", match[0], place)
        at = match.end()
    yield Token("end", "", At(line, at - start + 1))
