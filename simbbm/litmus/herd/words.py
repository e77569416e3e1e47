"""A cursor over the words of a test, and what is said where another word should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from simbbm.host.reading import quoted
from simbbm.litmus.herd.lexer import Token, error
from simbbm.litmus.herd.tree import At
from simbbm.litmus.notation.syntax import Malformed, Unsupported

T = TypeVar("T")


class Words:
    """The words of a test; `at` is the next one."""

    def __init__(self, file: str, text: str, words: list[Token]) -> None:
        self.file = file
        self.source = text
        self.words = words
        self.at = 0
        self.depth = 0

    def separated(self, part: Callable[[], T], end: str) -> list[T]:
        """Phrases with commas between, up to a mark."""
        found = []
        while not self.take(end):
            found.append(part())
            if self.peek().text != end:
                self.need(",")
        return found

    def peek(self) -> Token:
        """The next word."""
        return self.words[self.at]

    def next(self, what: str) -> Token:
        """Go beyond the next word: a name, a number or a string."""
        word = self.peek()
        if word.kind not in ("name", "number", "string"):
            raise self.expected(what)
        self.at += 1
        return word

    def number(self, what: str) -> int:
        """Go beyond a number."""
        word = self.peek()
        if word.kind != "number":
            raise self.expected(what)
        self.at += 1
        return int(word.text, 0)

    def take(self, mark: str) -> bool:
        """Go beyond a mark, if it is the next word."""
        if self.peek().kind != "mark" or self.peek().text != mark:
            return False
        self.at += 1
        return True

    def takes(self, name: str) -> bool:
        """Go beyond a name, if it is the next word."""
        if self.peek().kind != "name" or self.peek().text != name:
            return False
        self.at += 1
        return True

    def need(self, mark: str) -> None:
        """Go beyond a mark, which has to be there."""
        if not self.take(mark):
            raise self.expected(f"`{mark}`")

    def expected(self, what: str) -> Malformed:
        """The error where the next word is not what it should be."""
        word = self.peek()
        found = f"`{quoted(word.text)}`" if word.text else "the end"
        return error(self.file, word.at, f"{found}, where {what} should be")

    def unsupported(self, word: Token, why: str) -> Unsupported:
        """The error for what is understood, and not modelled."""
        return Unsupported(f"{self.file}:{word.at.line}:{word.at.column}: {why}")

    def text_from(self, start: At) -> str:
        """The text from a place up to the word that was read last, in one line."""
        lines = self.source.split("\n")[start.line - 1 :]
        end = self.peek().at
        lines = lines[: end.line - start.line + 1]
        if end.line - start.line < len(lines):
            lines[-1] = lines[-1][: end.column - 1]
        lines[0] = lines[0][start.column - 1 :]
        return " ".join(" ".join(lines).split())
