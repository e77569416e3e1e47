"""How runs are shared out among the arms of an adaptive campaign."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simbbm.campaign.stored.shares import EQUALLY, Worth, share
from simbbm.campaign.stored.store import Once

WORTHS = st.builds(
    Worth,
    st.just(0),
    once=st.builds(Once, st.integers(0, 10**6), st.integers(0, 1_000)),
    sampled=st.integers(0, 10**6),
    runs=st.integers(0, 10**6),
    steps=st.integers(0, 10**9),
)


@given(st.lists(WORTHS, min_size=1, max_size=20), st.integers(0, 500))
def test_all_of_it_is_shared_out_and_everybody_gets_a_part(
    worths: list[Worth], batches: int
) -> None:
    arms = [worth._replace(arm=n) for n, worth in enumerate(worths)]
    shared = dict(share(arms, batches))

    assert batches == sum(shared.values())
    floor = batches // (EQUALLY * len(arms))
    assert all(shared.get(n, 0) >= floor for n in range(len(arms)))


def test_the_most_goes_where_steps_come_to_new_states() -> None:
    stale = Worth(0, once=Once(0, 0), sampled=100, runs=1_000, steps=10_000)
    fresh = Worth(1, once=Once(50, 0), sampled=100, runs=1_000, steps=10_000)
    dear = Worth(2, once=Once(50, 0), sampled=100, runs=1_000, steps=20_000)

    assert {0: 2, 1: 38, 2: 20} == dict(share([stale, fresh, dear], 60))


def test_where_nothing_is_new_all_get_the_same() -> None:
    stale = [Worth(n, Once(0, 0), 10, 100, 1_000) for n in range(3)]
    assert {0: 3, 1: 2, 2: 2} == dict(share(stale, 7))


def test_new_labels_count_as_much_as_new_states_though_they_are_few() -> None:
    states = Worth(0, Once(10_000, 0), sampled=100, runs=1_000, steps=10_000)
    labels = Worth(1, Once(0, 2), sampled=100, runs=1_000, steps=10_000)
    neither = Worth(2, Once(0, 0), sampled=100, runs=1_000, steps=10_000)

    assert {0: 29, 1: 29, 2: 2} == dict(share([states, labels, neither], 60))
