"""A certificate is checked by somebody else's code: what is planted in one is found."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simbbm import Cpu, repeat_until
from simbbm.core.errors import UsageError
from simbbm.explore.certificate.file import BEGINS, Certificate, Level, pack, read
from simbbm.explore.certificate.verify import Checked, verify
from simbbm.explore.every_n.certify import certificate_of
from simbbm.scenario import Scenario
from tests.explore.every_n.gathering import (
    FLAG,
    GO,
    adds,
    called,
    calls,
    counts,
    gathers,
    of,
    proved,
)

GATHERING = of(gathers, counts)
CALLING = of(calls, called)


@cache
def certificate(calling: bool = False) -> Certificate:
    it = CALLING if calling else GATHERING
    answer = proved(it)
    assert answer.closed is not None
    return certificate_of(answer.closed, it.id, {}, answer.levels)


def check(changed: Certificate, it: Scenario = GATHERING) -> Checked:
    return verify(changed, it)


def edited(**changes: Any) -> Certificate:
    return msgspec.structs.replace(certificate(), **changes)


@pytest.mark.parametrize("calling", [False, True])
def test_a_certificate_holds(calling: bool) -> None:
    it = CALLING if calling else GATHERING
    checked = check(certificate(calling), it)

    assert not checked.fault
    assert checked.ends
    assert checked.views == len(certificate(calling).views)
    assert len(checked.few) == 2


def test_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    again = proved(GATHERING)
    assert again.closed is not None
    packed = pack(certificate_of(again.closed, GATHERING.id, {}, again.levels))

    assert packed == pack(certificate())
    file = tmp_path / "it.certificate"
    file.write_bytes(packed)
    assert read(file) == certificate()


# Twenty faults.


def without_view(n: int) -> Callable[[], Certificate]:
    def change() -> Certificate:
        views = list(certificate().views)
        del views[n]
        return edited(views=views)

    return change


def with_view(*view: int) -> Callable[[], Certificate]:
    return lambda: edited(views=[*certificate().views, view])


def with_digest(shared: bool) -> Callable[[], Certificate]:
    def change() -> Certificate:
        parts = list(certificate().shared if shared else certificate().locals)
        parts[-1] = msgspec.structs.replace(parts[-1], digest="0" * 32)
        return edited(**{"shared" if shared else "locals": parts})

    return change


def with_origin(origin: tuple[int, ...]) -> Callable[[], Certificate]:
    def change() -> Certificate:
        parts = list(certificate().locals)
        parts[-1] = msgspec.structs.replace(parts[-1], origin=origin)
        return edited(locals=parts)

    return change


def without_part(shared: bool) -> Callable[[], Certificate]:
    def change() -> Certificate:
        known = certificate()
        parts = known.shared if shared else known.locals
        return edited(**{"shared" if shared else "locals": parts[:-1]})

    return change


def target(name: str, *targets: tuple[int, int]) -> Callable[[], Certificate]:
    return lambda: edited(targets={**certificate().targets, name: list(targets)})


def not_a_view() -> tuple[int, ...]:
    known = {*map(tuple, certificate().views)}
    locals_ = range(len(certificate().locals))
    shared = range(len(certificate().shared))
    return next(v for v in product(shared, locals_, locals_) if v[1] <= v[2] and v not in known)


def with_level(change: Callable[[Level], Level]) -> Callable[[], Certificate]:
    def planted() -> Certificate:
        levels = certificate().levels
        assert levels is not None
        return edited(levels=[change(levels[0]), *levels[1:]])

    return planted


def upside_down(level: Level) -> Level:
    most = max(level.shared)
    return Level([most - rank for rank in level.shared], level.locals)


FAULTS: dict[str, Callable[[], Certificate]] = {
    "the first view is missing": without_view(0),
    "a view is missing": without_view(7),
    "the last view is missing": without_view(-1),
    "no view is left": lambda: edited(views=[]),
    "a view is named twice": lambda: edited(views=[*certificate().views, certificate().views[0]]),
    "a view of no state": with_view(0, 0, 10_000),
    "a view of no shared state": with_view(10_000, 0, 0),
    "a view of one": with_view(0, 0),
    "a view of three": with_view(0, 0, 0, 0),
    "a view in another order": with_view(0, 1, 0),
    "a view that is never reached": lambda: edited(views=[*certificate().views, not_a_view()]),
    "another shared state": with_digest(True),
    "another local state": with_digest(False),
    "a state from another place": with_origin((0, 0, 0, 0)),
    "a state from nowhere": with_origin((10_000, 0)),
    "a shared state is missing": without_part(True),
    "a local state is missing": without_part(False),
    "a state twice": lambda: edited(locals=[*certificate().locals, certificate().locals[0]]),
    "states in another order": lambda: edited(met=certificate().met[::-1]),
    "a state that is not got at": lambda: edited(met=certificate().met[:-1]),
    "a comparison less": target("flag"),
    "another comparison": target("flag", (4, 0)),
    "a comparison twice": target("flag", (0, 1), (0, 1)),
    "a counter less": lambda: edited(targets={}),
    "views of three": lambda: edited(k=3),
    "no rank": lambda: edited(levels=[]),
    "a level less": lambda: edited(levels=(certificate().levels or [])[:-1]),
    "ranks upside down": with_level(upside_down),
    "a rank less": with_level(lambda level: Level(level.shared[:-1], level.locals)),
    "nobody has a rank": with_level(lambda level: Level(level.shared, [])),
    "ranks of CPUs that become larger": with_level(
        lambda level: Level(level.shared, [(at, n, 9 - rank) for at, n, rank in level.locals])
    ),
    "ranks of a state too many": with_level(lambda level: Level([*level.shared, 0], level.locals)),
    "a rank of nobody": with_level(
        lambda level: Level(level.shared, [*level.locals, (10_000, 10_000, 1)])
    ),
    "all shared states have one rank": with_level(
        lambda level: Level([1 for _ in level.shared], level.locals)
    ),
    "levels in another order": lambda: edited(levels=(certificate().levels or [])[::-1]),
    "an order where there is none": lambda: edited(orders=[(0, False)]),
    "an order in no shared state": lambda: edited(orders=[(10_000, False)]),
    "views of one CPU": lambda: edited(k=1),
    "states are got at twice": lambda: edited(met=[*certificate().met, certificate().met[0]]),
    "a counter that is not there": target("flak", (0, 1)),
    "a comparison more": target("flag", (0, 1), (5, 0)),
    "views of other shared states": lambda: edited(
        views=sorted((1 - g if g < 2 else g, *m) for g, *m in certificate().views)
    ),
    "a certificate of nothing": lambda: edited(shared=[], locals=[], met=[], views=[]),
    "another parameter": lambda: edited(params={"layout": "pmd"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    try:
        checked = check(FAULTS[name]())
    except UsageError:
        assert name == "another parameter"
    else:
        assert checked.fault


def test_without_ranks_it_is_not_certified_that_runs_end() -> None:
    checked = check(edited(levels=None))

    assert (checked.fault, checked.ends) == ("", False)


async def looks(cpu: Cpu) -> bool:
    return bool(await cpu.ldr(GO) == 1)


async def spins(cpu: Cpu, _: Any) -> None:
    """Comes, and polls by loads: nothing is used up."""
    await cpu.ldaddal(FLAG, 1)
    await repeat_until(looks, cpu)


def test_what_polls_for_ever_is_not_certified_to_end() -> None:
    it = of(gathers, spins)
    answer = proved(it)
    assert answer.closed is not None
    assert answer.levels is None
    known = certificate_of(answer.closed, it.id, {}, ())

    assert not check(certificate_of(answer.closed, it.id, {}), it).ends
    assert "use up nothing" in check(known, it).fault
    falling = Level([*range(len(known.shared), 0, -1)], [])
    assert "use up nothing" in check(msgspec.structs.replace(known, levels=[falling]), it).fault


def test_a_changed_scenario_leaves_the_invariant() -> None:
    assert "leads" in check(certificate(), of(gathers, adds)).fault


def test_a_certificate_of_a_bad_scenario_is_refused() -> None:
    """Not even views that somebody made up are believed of a scenario that fails."""
    assert check(certificate(calling=True), GATHERING).fault


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no certificate"),
        (b"something else", "no certificate"),
        (BEGINS, "cut off"),
        (BEGINS + b"nothing", "damaged"),
        (BEGINS + zlib.compress(b"[]"), "no certificate"),
        (BEGINS + zlib.compress(b'{"version": 1}'), "version 1"),
        (BEGINS + zlib.compress(b'{"version": 3}'), "no certificate"),
        (BEGINS + zlib.compress(b" " * (65 << 20)), "too large"),
        (BEGINS + zlib.compress(b'{"version": 3}') + b"more", "followed"),
    ],
)
def test_what_is_no_certificate_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "it.certificate"
    file.write_bytes(content)

    with pytest.raises(UsageError, match=told):
        read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "nothing")
