"""More ways to get at the number of CPUs: what ints, texts and patterns would say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simbbm import Cpu
from simbbm.check.verdict import Verdict
from simbbm.core.errors import ScenarioError
from simbbm.core.programs.everyone import each_other
from tests.explore.every_n.gathering import FLAG, equals, of, proved
from tests.explore.every_n.test_refused import counted, if_four

# A symbol may refuse a question; an int that is asked about a symbol says NotImplemented, which
# tells it from an int all the same. So programs may not ask for an int's methods.


async def by_an_ints_own_eq(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (4).__eq__(n) is True)


async def by_an_ints_own_lt(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (3).__lt__(n) is True)


async def by_an_ints_own_sub(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (4).__sub__(n) == 0)


async def by_an_ints_own_eq_of_the_counter(cpu: Cpu, n: Any) -> None:
    await cpu.wait(FLAG, equals, n)
    await if_four(cpu, (4).__eq__(await cpu.ldar(FLAG)) is True)


async def by_object_repr(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, "<int" in object.__repr__(n) and n == 4)


async def by_a_class_pattern(cpu: Cpu, n: Any) -> None:
    match n:
        case int():
            await if_four(cpu, n == 4)


async def by_slice(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, len((0, 0, 0, 0, 0, 0)[:n]) == 4)


async def by_pow(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, 2**n == 16)


async def by_a_format_field(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, "{0.real}".format(n) == "4")  # noqa: UP030, UP032 - the way in question


async def by_percent(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, "%d" % n == "4")  # noqa: UP031 - the way in question


async def by_bytes(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, len(bytes(n)) == 4)


async def by_tuple_order(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (n, 0) > (3, 0))


async def by_index_of(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (2, 3, 4).index(n) == 2)


async def by_the_sum_of_the_others(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, sum(each_other(n)) == 6)


async def by_star(cpu: Cpu, n: Any) -> None:
    _, *rest = each_other(n)
    await if_four(cpu, len(rest) == 2)


async def by_a_comprehension(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, len([t + 1 for t in each_other(n)]) == 3)


async def by_isinstance(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, isinstance(n, int) and n == 4)


async def by_bool(cpu: Cpu, n: Any) -> None:
    await if_four(cpu, (n and 4) == n)


ASKS_ANOTHER = (
    by_an_ints_own_eq,
    by_an_ints_own_lt,
    by_an_ints_own_sub,
    by_an_ints_own_eq_of_the_counter,
    by_object_repr,
    by_a_format_field,
)
ASKS_THE_SYMBOL = (
    by_a_class_pattern,
    by_slice,
    by_pow,
    by_percent,
    by_bytes,
    by_tuple_order,
    by_index_of,
    by_the_sum_of_the_others,
    by_star,
    by_a_comprehension,
    by_isinstance,
    by_bool,
)


@pytest.mark.parametrize("boot", ASKS_ANOTHER, ids=lambda boot: boot.__name__)
def test_what_is_asked_of_another_value_about_the_number_is_no_program(
    boot: Callable[..., Any],
) -> None:
    with pytest.raises(ScenarioError, match=r"looks? at"):
        proved(of(boot, counted))


@pytest.mark.parametrize("boot", ASKS_THE_SYMBOL, ids=lambda boot: boot.__name__)
def test_what_is_asked_of_the_number_is_refused(boot: Callable[..., Any]) -> None:
    answer = proved(of(boot, counted))
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.message.startswith("refused: ")
