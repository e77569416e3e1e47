"""How runs are shared out among the arms of an adaptive campaign."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simbbm.campaign.stored.shares import EQUALLY, Worth, share

WORTHS = st.builds(
    Worth,
    st.just(0),
    met_once=st.integers(0, 10**6),
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
    stale = Worth(0, met_once=0, sampled=100, runs=1_000, steps=10_000)
    fresh = Worth(1, met_once=50, sampled=100, runs=1_000, steps=10_000)
    dear = Worth(2, met_once=50, sampled=100, runs=1_000, steps=20_000)

    assert {0: 2, 1: 38, 2: 20} == dict(share([stale, fresh, dear], 60))


def test_where_nothing_is_new_all_get_the_same() -> None:
    stale = [Worth(n, 0, 10, 100, 1_000) for n in range(3)]
    assert {0: 3, 1: 2, 2: 2} == dict(share(stale, 7))
