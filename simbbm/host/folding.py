"""Long lines on a narrow terminal: broken between words, and what continues a line is indented.

Nothing is lost, and nothing that is copied is spoilt: words stay whole (a terminal breaks those
that are longer than a line), a command that is broken is still one for a shell, and rows of JSON
are left to the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap
from typing import NamedTuple

INDENT = 4
"""What continues a line stands so much further in than the line."""
_COMMAND = re.compile(r"\s*(?:[\w, ]+: +)?simbbm( \S+)+")
_BLOCK = re.compile(r"#|\||[*-] |\d+\. |\s*$|\s{4}")
"""How a line of Markdown begins that does not continue the one before."""


class Break(NamedTuple):
    """Where a text is broken: what stands from `start` to `end` is replaced."""

    start: int
    end: int
    by: str


def breaks(text: str, width: int) -> Iterator[Break]:
    """Where to break the lines of a text so that they fit."""
    at = 0
    for line in text.split("\n"):
        if len(line) > width and not line.startswith("{"):
            yield from _breaks_of(line, width, at)
        at += len(line) + 1


def _breaks_of(line: str, width: int, at: int) -> Iterator[Break]:
    beyond = len(line) - len(line.lstrip())
    mark = " \\" if _COMMAND.fullmatch(line) else ""
    words = list(re.finditer(r"\S+", line))
    end, column = beyond, beyond
    for n, word in enumerate(words):
        gap = word.start() - end
        last = n + 1 == len(words)
        if n and column + gap + len(word[0]) + (0 if last else len(mark)) > width:
            column, gap = min(beyond + INDENT, width // 2, max(width - len(word[0]), 0)), 0
            yield Break(at + end, at + word.start(), f"{mark}\n{' ' * column}")
        column += gap + len(word[0])
        end = word.end()


def reflowed(markdown: str, width: int) -> str:
    """Markdown whose paragraphs and items are as wide as the terminal."""
    lines: list[str] = []
    for line in markdown.split("\n"):
        goes_on = lines and lines[-1].strip() and not lines[-1].startswith("#")
        if goes_on and not _BLOCK.match(line):
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(
        line if line.startswith((" ", "|")) else _filled(line, width) for line in lines
    )


def _filled(paragraph: str, width: int) -> str:
    hanging = "  " if paragraph.startswith(("* ", "- ")) else ""
    lines = wrap(
        paragraph,
        width,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
