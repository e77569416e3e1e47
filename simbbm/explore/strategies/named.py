"""Strategies by name: how the runs of a campaign choose among enabled moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from simbbm.core.choice import Chooser
from simbbm.core.errors import UsageError
from simbbm.explore.strategies.pct import Pct
from simbbm.explore.strategies.polite import PoliteStrategy
from simbbm.explore.strategies.portfolio import Portfolio, default_members
from simbbm.explore.strategies.pos import Pos
from simbbm.explore.strategies.profile import Profile
from simbbm.explore.strategies.random_walk import RandomWalk
from simbbm.explore.strategies.surprise import Surprise
from simbbm.explore.strategies.urw import Urw
from simbbm.host.reading import decimal, nearest, quoted

_IN_TURN = ", ".join(member.name for member in default_members())

STRATEGIES: dict[str, str] = {
    "default": f"by run number in turn: {_IN_TURN}",
    "portfolio": "another name for default",
    "random": "an agent uniformly, then one of its moves",
    "cpu-first": "a CPU uniformly, then one of its agents (its hardware too), then a move",
    "pct": "random priorities with depth-1 random change points (pct:depth=3)",
    "pos": "random priorities, drawn again for those that lose a race",
    "surprise": "hardware does everything at once, with at most so many exceptions "
    "(surprise:budget=2)",
    "urw": "an agent in proportion to the moves that it has left",
    "polite": "hardware does everything at once and nothing optional happens; always the same run",
}
"""Every strategy's one-line meaning, by name."""


class Strategy(Protocol):
    """How the runs of a campaign are scheduled."""

    @property
    def name(self) -> str:
        """The canonical text, which `strategy` reads back."""

    @property
    def needs_calibration(self) -> bool:
        """Whether the strategy depends on a profile (`calibrated`)."""

    def calibrated(self, profile: Profile) -> Strategy:
        """This strategy, with the parameters of this profile."""

    def chooser(self, seed: bytes, number: int) -> Chooser:
        """The chooser of run `number`, with this seed."""


def strategy(text: str) -> Strategy:
    """Read a strategy's text; raise UsageError if there is none of that name."""
    name, _, rest = text.partition(":")
    if name in _WITH_OPTION:
        option = _WITH_OPTION[name]
        return option.make(_value(text, rest, option))
    make = _PLAIN.get(name)
    if make is None:
        listed = ", ".join(STRATEGIES)
        near = nearest(name, STRATEGIES, cutoff=0.6)
        hint = f"did you mean {near}? there are {listed}" if near else f"there are {listed}"
        raise UsageError(f"no strategy {quoted(name)}", hint)
    if rest:
        have = " and ".join(f"{n}:{o.key}={o.default}" for n, o in _WITH_OPTION.items())
        raise UsageError(f"strategy {quoted(text)}: {name} has no options", f"only {have} have")
    return make()


class _Option(NamedTuple):
    """The one number that a strategy takes."""

    make: Callable[[int], Strategy]
    key: str
    default: int


_WITH_OPTION: dict[str, _Option] = {
    "pct": _Option(Pct, "depth", 3),
    "surprise": _Option(Surprise, "budget", 2),
}
_PLAIN: dict[str, Callable[[], Strategy]] = {
    "default": lambda: Portfolio("default", default_members()),
    "portfolio": lambda: Portfolio("portfolio", default_members()),
    "random": RandomWalk,
    "cpu-first": lambda: RandomWalk(cpu_first=True),
    "pos": Pos,
    "urw": Urw,
    "polite": PoliteStrategy,
}


def _value(text: str, options: str, option: _Option) -> int:
    if not options:
        return option.default
    key, _, value = options.partition("=")
    number = decimal(value)
    if key != option.key or number is None:
        name = text.partition(":")[0]
        hint = f"write {name} or {name}:{option.key}={option.default}"
        raise UsageError(f"strategy {quoted(text)}: not understood", hint)
    return number
