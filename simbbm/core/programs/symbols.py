"""Values that stand for all numbers of CPUs at once: N, and what is read from a counter.

A proof for every number of CPUs (`explore/every_n/`) runs the programs with a symbol in place of
the number of CPUs, and with symbols in place of what a counter's word holds. A symbol answers
exactly those questions that have one answer for all N, or an answer that the proof keeps track of:

* N takes part in sums with ints (`Linear`), and is stored;
* what was read from a counter (`Seen`) is compared for equality, and changed by an int (`Added`).

Everything else (order, ranges, conversions, hashes, texts, attributes) is refused with the line of
the program. So a program cannot act on the number of CPUs without the proof's knowledge: a program
that waits for the literal 4 would be "proved" on a machine on which N happens to be 4.

A refusal is a BaseException, and is kept (`refusals`): a program that catches it is refused too.
Not trapped: what is asked of a value's type, which the proof looks for in the code
(`every_n/unseen.py`), and `value is 4`, which no program may ask (`purity`). callable() says the
same of a symbol as of an int, since symbols have no `__call__`.
"""

# ruff: noqa: SLF001 - symbols look into one another; programs may not

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from simbbm.core.errors import Where
from simbbm.core.unknown import NeedsValueError
from simbbm.core.values import key

_BESIDE = "simbbm.core.programs.everyone"
_running = [0]
"""How many calls deep a program's own code is running."""
_guarding = [0]
"""The same, or the code that builds a Setup: only then do symbols refuse."""
refusals: list[str] = []
"""What programs did with symbols that they may not, since a proof last looked."""
asked: list[tuple[str, Linear]] = []
"""Counter and value of comparisons whose answer was not known, since a proof last looked."""


compared: list[tuple[str, str]] = []
"""The labels of two readings of one counter that were compared with one another, likewise."""


def noted() -> tuple[int, int, int]:
    """How much is on these lists: whether a program that was run put something there."""
    return len(refusals), len(asked), len(compared)


class RefusedError(NeedsValueError):
    """A program did something with a symbol that has no answer for all numbers of CPUs."""


class Running:
    """While a program's own code runs."""

    def __enter__(self) -> None:
        _running[0] += 1
        _guarding[0] += 1

    def __exit__(self, *_: object) -> None:
        _running[0] -= 1
        _guarding[0] -= 1


class Building:
    """While a scenario's own code builds a Setup."""

    def __enter__(self) -> None:
        _guarding[0] += 1

    def __exit__(self, *_: object) -> None:
        _guarding[0] -= 1


RUNNING, BUILDING = Running(), Building()


def is_running() -> bool:
    """Whether a program's own code runs."""
    return _running[0] > 0


def refuse(what: str, hint: str) -> NoReturn:
    """Refuse what a program does, with its line."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals["__name__"] in (__name__, _BESIDE):
        frame = frame.f_back
    where = Where(frame.f_code.co_filename.rpartition("/")[2], frame.f_lineno)
    told = f"{where}: {what} ({hint})"
    refusals.append(told)
    raise RefusedError(told)


class Symbol:
    """A value that has no number of its own."""

    __slots__ = ()
    is_symbol = True
    _HINT = (
        "compare it for equality with a counter of Setup.counters, or leave the number of CPUs out"
    )

    def _refused(self, *_: object) -> NoReturn:
        shielded(self, "used as a number")

    def _said(self) -> str:
        raise NotImplementedError

    def _equals(self, other: object) -> bool:  # noqa: ARG002 - those that can be compared look
        shielded(self, "compared")

    def __getattribute__(self, name: str) -> Any:
        if _guarding[0] and sys._getframe(1).f_globals.get("__name__") != __name__:
            shielded(self, f"asked for its {name}")
        return object.__getattribute__(self, name)

    def __eq__(self, other: object) -> bool:
        if _guarding[0]:
            return self._equals(other)
        return type(self) is type(other) and bool(key(self) == key(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return not self._equals(0) if _guarding[0] else True

    def __hash__(self) -> int:
        if _guarding[0]:
            self._refused()
        return hash(key(self))

    def __str__(self) -> str:
        return self._refused() if _guarding[0] else self._said()

    def __repr__(self) -> str:
        return self._refused() if _guarding[0] else f"<{self._said()}>"

    def __format__(self, how: str) -> str:
        return self._refused() if _guarding[0] else self._said()


def shielded(value: Symbol, what: str) -> NoReturn:
    """Refuse what is done with a symbol, without being refused while saying with which."""
    depth, _guarding[0] = _guarding[0], 0
    try:
        said = value._said()
    finally:
        _guarding[0] = depth
    hint = Symbol._HINT if _running[0] else "a Setup counts its CPUs by cpu_numbers(cpus)"
    refuse(f"{said} is {what}", hint)


_NUMERIC = """
    lt le gt ge int float index complex len iter contains getitem mul rmul truediv rtruediv
    floordiv rfloordiv mod rmod divmod rdivmod pow rpow lshift rlshift rshift rrshift and rand or
    ror xor rxor matmul rmatmul neg pos abs invert round trunc floor ceil bytes enter exit await
    aiter anext dir sizeof add radd sub rsub
"""
for _name in _NUMERIC.split():
    setattr(Symbol, f"__{_name}__", Symbol._refused)


@dataclass(frozen=True, eq=False, repr=False)
class Linear(Symbol):
    """`constant + everyone * N`, where N is the number of CPUs; a plain int has `everyone` 0."""

    constant: int
    everyone: int

    def _said(self) -> str:
        constant, everyone = _parts(self)
        number = "N" if everyone == 1 else f"{everyone} N" if everyone else ""
        if not constant:
            return number or "0"
        sign = " - " if constant < 0 else " + "
        return f"{number}{sign}{abs(constant)}" if number else str(constant)

    def _equals(self, other: object) -> bool:
        if type(other) is Seen or type(other) is Added:
            return bool(other._equals(self))
        mine, theirs = _parts(self), _parts(linear(other, self))
        if mine[1] != theirs[1]:
            shielded(self, "compared with a number")
        return mine == theirs

    def __add__(self, other: object) -> Linear:
        mine, theirs = _parts(self), _parts(linear(other, self))
        return Linear(mine[0] + theirs[0], mine[1] + theirs[1])

    __radd__ = __add__

    def __sub__(self, other: object) -> Linear:
        mine, theirs = _parts(self), _parts(linear(other, self))
        return Linear(mine[0] - theirs[0], mine[1] - theirs[1])


N = Linear(0, 1)
"""The number of CPUs."""


def _parts(value: Linear) -> tuple[int, int]:
    return object.__getattribute__(value, "constant"), object.__getattribute__(value, "everyone")


def linear(value: object, by: Symbol = N) -> Linear:
    """An int or a Linear as a Linear; anything else is refused."""
    if type(value) is Linear:
        return value
    if type(value) is int:
        return Linear(value, 0)
    shielded(by, f"combined with a {type(value).__name__}")


@dataclass(frozen=True, eq=False, repr=False)
class Seen(Symbol):
    """What a counter held when it was read: which comparisons held then.

    `at` is the label of the step that read it, so that two readings are two values.
    """

    counter: str
    at: str
    answers: tuple[tuple[Linear, bool], ...]
    guesses: tuple[tuple[str, bool], ...] = ()
    """Whether it was the same at readings by other steps, by their labels; both are tried."""
    called: tuple[str, str, bool] | None = None
    """Of a counter that calls the holders of tickets: the counter that these are of, the step by
    which the reader took its own, and whether it was called."""

    def _said(self) -> str:
        return f"the value of {object.__getattribute__(self, 'counter')}"

    def _equals(self, other: object) -> bool:
        if type(other) is Seen or type(other) is Added:
            return _same(self, other)
        if object.__getattribute__(self, "called") is not None:
            shielded(
                self, "compared (it calls the holders of tickets: wait until it is beyond one)"
            )
        target = linear(other, self)
        answers = object.__getattribute__(self, "answers")
        for known, holds in answers:
            if _parts(known) == _parts(target):
                return bool(holds)
        asked.append((object.__getattribute__(self, "counter"), target))
        raise NeedsValueError

    def __add__(self, other: object) -> Added | Batch:
        if type(other) is EachOther:
            return Batch(*(object.__getattribute__(self, name) for name in ("counter", "at")))
        if type(other) is not int:
            shielded(self, f"added to a {type(other).__name__}")
        return Added(self, other)

    __radd__ = __add__

    def __sub__(self, other: object) -> Added:
        if type(other) is not int:
            shielded(self, f"combined with a {type(other).__name__}")
        return Added(self, -other)

    def __gt__(self, other: object) -> bool:
        called = object.__getattribute__(self, "called")
        if type(other) is Added and called is not None:
            ticket, by = (
                object.__getattribute__(other, "seen"),
                object.__getattribute__(other, "by"),
            )
            counter, at = (object.__getattribute__(ticket, n) for n in ("counter", "at"))
            if (counter, at, by) == (*called[:2], -1):
                return bool(called[2])
        shielded(self, "put in order with something that is no ticket of the CPU")


def _same(one: Seen, other: Seen | Added) -> bool:
    """Whether a counter was the same at two readings: not if an answer differs, else a guess."""
    get = object.__getattribute__
    if type(other) is not Seen or get(one, "counter") != get(other, "counter"):
        shielded(one, "compared with another counter's")
    answers = [{_parts(t): holds for t, holds in get(v, "answers")} for v in (one, other)]
    if any(answers[1].get(t, holds) != holds for t, holds in answers[0].items()):
        return False
    for mine, theirs in ((one, other), (other, one)):
        for at, guess in get(mine, "guesses"):
            if at == get(theirs, "at"):
                return bool(guess)
    compared.append((get(one, "at"), get(other, "at")))
    raise NeedsValueError


@dataclass(frozen=True, eq=False, repr=False)
class Added(Symbol):
    """What was read from a counter, and an int: the old value of an atomic, or what is stored."""

    seen: Seen
    by: int

    def _said(self) -> str:
        return str(object.__getattribute__(self, "seen")._said())

    def _equals(self, other: object) -> bool:
        if type(other) in (Seen, Added):
            shielded(self, "compared with another reading")
        seen, by = object.__getattribute__(self, "seen"), object.__getattribute__(self, "by")
        return bool(seen._equals(linear(other, self) - by))

    def __add__(self, other: object) -> Added:
        seen, by = object.__getattribute__(self, "seen"), object.__getattribute__(self, "by")
        if type(other) is not int:
            shielded(self, f"combined with a {type(other).__name__}")
        return Added(seen, by + other)

    __radd__ = __add__


@dataclass(frozen=True, eq=False, repr=False)
class EachOther(Symbol):
    """The numbers 1, 2, ... N - 1, one after another."""

    def _said(self) -> str:
        return "the number of a turn"


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Symbol):
    """Stores of 1, 2, ... N - 1 more than a counter had, one after another, in order."""

    counter: str
    at: str
    """The step that read it."""

    def _said(self) -> str:
        return f"the next values of {object.__getattribute__(self, 'counter')}"


@dataclass(frozen=True, eq=False, repr=False)
class Held(Symbol):
    """What memory holds where a counter is, between steps."""

    counter: str

    def _said(self) -> str:
        return f"the value of {object.__getattribute__(self, 'counter')}"


@dataclass(frozen=True, eq=False, repr=False)
class OwnNumber(Symbol):
    """What MPIDR_EL1 gives on a CPU that is not the boot CPU: any number but 0."""

    def _said(self) -> str:
        return "a CPU's own number"

    def _equals(self, other: object) -> bool:
        if type(other) is int and other == 0:
            return False
        refuse("a CPU's own number is compared with another than 0", "CPUs but the first are alike")
