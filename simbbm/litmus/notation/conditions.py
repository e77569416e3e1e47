"""Conditions: what a test asks of the end of an execution.

`0:r2=V`, `mem[pa]=V`, `pte(x)=D` and `fault(P1@k,kind)`, joined by `&`, `|`, `~` and parentheses;
`~` binds most closely and `|` least.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, Protocol

from simbbm.host.reading import quoted
from simbbm.litmus.notation import syntax
from simbbm.litmus.notation.syntax import (
    KINDS,
    VALUE,
    Constant,
    Location,
    Malformed,
    Physical,
    number,
)


class RegisterIs(NamedTuple):
    """`0:r2=V`: the value that a thread's register has at the end."""

    thread: int
    register: int
    value: Constant

    @property
    def subject(self) -> str:
        """What is asked about."""
        return f"{self.thread}:r{self.register}"


class MemoryIs(NamedTuple):
    """`mem[pa1]=V`."""

    word: Physical
    value: Constant

    @property
    def subject(self) -> str:
        """What is asked about."""
        return f"mem[{self.word}]"


class EntryIs(NamedTuple):
    """`pte(x)=D`: a descriptor in memory at the end."""

    location: Location
    value: Constant

    @property
    def subject(self) -> str:
        """What is asked about."""
        return str(self.location)


class Faulted(NamedTuple):
    """`fault(P1@3)`, `fault(P1@3,permission)`: an operation took a fault."""

    thread: int
    number: int
    kind: str | None = None

    @property
    def subject(self) -> str:
        """What is asked about."""
        return f"fault(P{self.thread}@{self.number})"


class Not(NamedTuple):
    """`~c`."""

    part: Condition


class And(NamedTuple):
    """`c & c`."""

    parts: tuple[Condition, ...]


class Or(NamedTuple):
    """`c | c`."""

    parts: tuple[Condition, ...]


Atom = RegisterIs | MemoryIs | EntryIs | Faulted
Condition = Atom | Not | And | Or


class Final(Protocol):
    """The end of an execution, as a condition looks at it."""

    def register(self, thread: int, number: int) -> object:
        """What a register holds; None if it has no value."""

    def word(self, where: Physical | Location) -> object:
        """What a word of memory holds."""

    def faults(self, thread: int) -> tuple[tuple[int, str], ...]:
        """Index and kind of each fault that a thread took."""

    def constant(self, value: Constant, where: Location | None) -> object:
        """What a register or a word holds that has this value."""


def evaluate(condition: Any, judge: Callable[[Any], bool]) -> bool:
    """Whether a condition holds, whose atoms are judged like this."""
    match condition:
        case Not(part=part):
            return not evaluate(part, judge)
        case And(parts=parts):
            return all(evaluate(part, judge) for part in parts)
        case Or(parts=parts):
            return any(evaluate(part, judge) for part in parts)
        case _:
            return judge(condition)


def holds(condition: Condition, final: Final) -> bool:
    """Whether a condition holds at the end of an execution."""
    return evaluate(condition, partial(_holds, final))


def _holds(final: Final, atom: Atom) -> bool:
    match atom:
        case RegisterIs(thread=thread, register=number, value=value):
            return final.register(thread, number) == final.constant(value, None)
        case MemoryIs(word=word, value=value):
            return final.word(word) == final.constant(value, None)
        case EntryIs(location=location, value=value):
            return final.word(location) == final.constant(value, location)
        case Faulted(thread=thread, number=number, kind=kind):
            return any(n == number and kind in (None, k) for n, k in final.faults(thread))


def atoms(condition: Condition) -> Iterator[Atom]:
    """Everything that a condition asks, from left to right."""
    match condition:
        case Not(part=part):
            yield from atoms(part)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from atoms(part)
        case _:
            yield condition


# Reading

CONDITION_MAX = 10_000
"""Characters of a condition."""
DEPTH_MAX = 100
"""Parentheses and `~` in one another."""

_FORMS = "0:r2=V, mem[pa1]=V, pte(x)=D, fault(P1@3), joined by & | ~ ( )"


def _register(match: re.Match[str]) -> Atom:
    return RegisterIs(number(match[1]), number(match[2]), syntax.read_constant(match[3]))


def _memory(match: re.Match[str]) -> Atom:
    word = syntax.read(match[1], syntax.physical, "physical word", "mem[pa1] or mem[pa1+8]")
    return MemoryIs(word, syntax.read_constant(match[2]))


def _entry(match: re.Match[str]) -> Atom:
    location = syntax.read(match[1], syntax.location, "descriptor", "pte(x) or pte(x,L2)")
    value = syntax.read(match[2], syntax.entry, "descriptor", syntax.FORMS_OF_A_DESCRIPTOR)
    return EntryIs(location, value)


def _fault(match: re.Match[str]) -> Atom:
    kind = None
    if match[3]:
        kind = KINDS.get(match[3].lower())
        if kind is None:
            kinds = ", ".join(dict.fromkeys(KINDS.values()))
            raise Malformed(f"there is no kind of fault {quoted(match[3])}", f"kinds are {kinds}")
    return Faulted(number(match[1]), number(match[2]), kind)


_ATOMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Atom]], ...] = (
    (re.compile(rf"P?(\d+)\s*:\s*r(\d+)\s*=\s*({VALUE})"), _register),
    (re.compile(rf"mem\[([^\]]*)\]\s*=\s*({VALUE})"), _memory),
    (re.compile(rf"(pte\([^()]*\))\s*=\s*({VALUE})"), _entry),
    (re.compile(r"fault\(\s*P(\d+)\s*@\s*(\d+)\s*(?:,\s*([\w-]+)\s*)?\)"), _fault),
)


def condition(text: str) -> Condition:
    """Read a condition; raise Malformed with the place that cannot be read."""
    if len(text) > CONDITION_MAX:
        raise Malformed(f"the condition is longer than {CONDITION_MAX:,} characters")
    parser = _Parser(text)
    found = parser.either()
    if parser.at < len(text):
        raise parser.stuck()
    return found


class _Parser:
    """Descends through a text; `at` is where what has not been read begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self._skip(0)

    def either(self) -> Condition:
        parts = [self._both()]
        while self._take("|"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._take("&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Condition:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise Malformed(f"the condition is nested more than {DEPTH_MAX} deep")
        found = self._at_this_depth()
        self.depth -= 1
        return found

    def _at_this_depth(self) -> Condition:
        if self._take("~"):
            return Not(self._one())
        if self._take("("):
            inside = self.either()
            if not self._take(")"):
                raise self.stuck()
            return inside
        for pattern, reader in _ATOMS:
            if match := pattern.match(self.text, self.at):
                self._skip(match.end())
                return reader(match)
        raise self.stuck()

    def _take(self, mark: str) -> bool:
        if not self.text.startswith(mark, self.at):
            return False
        self._skip(self.at + len(mark))
        return True

    def _skip(self, to: int) -> None:
        """Skip blanks."""
        while to < len(self.text) and self.text[to].isspace():
            to += 1
        self.at = to

    def stuck(self) -> Malformed:
        rest = self.text[self.at :].strip()
        where = f"at `{quoted(rest)}`" if rest else "at its end"
        return Malformed(
            f"condition `{quoted(self.text.strip())}` cannot be read {where}", f"write {_FORMS}"
        )
