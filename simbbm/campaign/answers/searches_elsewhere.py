"""Searches side by side: each in a worker, which says now and then how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from simbbm.campaign.answers.searches import Found, SoFar, View, Wanted, search, unanswered
from simbbm.campaign.processes import available_cpus
from simbbm.campaign.tasks import SideBySide
from simbbm.campaign.worker import say

SECONDS_BETWEEN_WORDS = 10.0


def search_elsewhere(wanted: Wanted) -> Found:
    """Make one search in a worker, which says now and then how far it is."""
    said = monotonic()

    def tell(text: Callable[[], str]) -> None:
        nonlocal said
        if monotonic() - said >= SECONDS_BETWEEN_WORDS:
            said = monotonic()
            say(SoFar(wanted.scenario, text()))

    return search(wanted, tell)


def side_by_side(
    every: Sequence[Wanted], jobs: int | None, view: View
) -> SideBySide[Wanted, Found]:
    """Make searches in workers; their answers, in order."""
    jobs = jobs or available_cpus()
    return SideBySide(
        search_elsewhere, unanswered, every, jobs, waiting=view.waiting, on_word=view.heard
    )
