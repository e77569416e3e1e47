"""Frozen data: keys that are exact, and one encoding of each value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbbm.core.values import Encoded, digest, encode, key, why_not_frozen


class Pair(NamedTuple):
    """Two values."""

    one: Any
    other: Any


class State(IntEnum):
    """Equal to 1, and yet something else."""

    ONE = 1


class Colour(Enum):
    """A name."""

    RED = "red"


@dataclass(frozen=True)
class Box:
    """A value."""

    value: Any


def helper() -> None:
    """Be a module-level function."""


FROZEN = st.recursive(
    st.one_of(
        st.integers(-2, 2),
        st.booleans(),
        st.none(),
        st.text(max_size=2),
        st.binary(max_size=2),
        st.sampled_from([State.ONE, Colour.RED]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.builds(Pair, inner, inner),
        st.builds(Box, inner),
    ),
    max_leaves=4,
)


@given(FROZEN, FROZEN)
def test_keys_and_encodings_are_equal_for_equal_values_of_equal_types_only(
    one: Any, other: Any
) -> None:
    same = repr(one) == repr(other)

    assert same == (key(one) == key(other))
    assert same == (encode(one) == encode(other))


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: (v,), lambda v: Pair(v, 0), Box])
def test_true_one_and_an_enum_member_have_three_keys(wrap: Any) -> None:
    assert 3 == len({key(wrap(value)) for value in (1, True, State.ONE)})
    assert 3 == len({digest(wrap(value)) for value in (1, True, State.ONE)})


@given(FROZEN)
def test_frozen_data_is_accepted(value: Any) -> None:
    assert why_not_frozen(value) is None


@pytest.mark.parametrize("value", [[], {}, set(), 0.5, object(), (1, []), Box([]), int, len])
def test_anything_else_is_refused(value: Any) -> None:
    assert why_not_frozen(value)


def test_digest_is_the_same_on_every_machine() -> None:
    # For every hash seed and Python, too: witnesses rely on it.
    value = (1, True, None, "x", b"y", Colour.RED, Pair(State.ONE, -1), Box(()))

    assert "3e64b7f9f9fbd4d0610edc5ba7627dc2" == digest(value)


@given(FROZEN)
def test_what_is_encoded_already_stands_for_its_value(value: Any) -> None:
    assert digest((1, Encoded(encode(value)))) == digest((1, value))


def test_functions_are_encoded_by_their_names() -> None:
    assert f"function:{__name__}.helper;".encode() == encode(helper)


class Answers(NamedTuple):
    """It has an answer to everything, also to what nobody but Python asks."""

    number: int = 0

    def __getattr__(self, name: str) -> int:
        return 1


def test_what_a_record_answers_is_not_what_it_is() -> None:
    assert why_not_frozen(Answers()) is None
    assert b"Answers(int:0;)" == encode(Answers())
