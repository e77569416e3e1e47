"""Views of 2 and of 3 CPUs give the same answer of the protocol, and each certificate holds."""

from __future__ import annotations

from itertools import combinations

import pytest

from simbbm.check.verdict import Verdict
from simbbm.explore.certificate.verify import verify
from simbbm.explore.every_n.certify import certificate_of
from simbbm.explore.every_n.prove import EveryN, ProverForAll
from tests.scenarios.everything import GOOD

pytestmark = pytest.mark.quality

PARAMS = {"layout": "pmd"}


def proved(k: int) -> EveryN:
    return ProverForAll(GOOD, PARAMS, k=k, ample=False).prove()


def pairs(answer: EveryN) -> set[tuple[str, str, str]]:
    """The views of two, by content: of views of more the pairs in them."""
    assert answer.closed is not None
    abstraction, parts = answer.closed.abstraction, answer.closed.parts
    shared = [abstraction.shared_digest(part) for part in parts.shared]
    others = [abstraction.local_digest(part) for part in parts.locals]
    return {
        (shared[g], *sorted((others[one], others[two])))  # type: ignore[misc]
        for g, views in enumerate(answer.closed.of)
        for members in views
        for one, two in combinations(members, 2)
    }


@pytest.mark.timeout(3600)
def test_views_of_three_are_no_other_answer() -> None:
    """What three see of two is among what two see: the larger views leave out more."""
    two, three = proved(2), proved(3)

    assert (two.verdict, two.terminates) == (Verdict.PROVED, True)
    assert (three.verdict, three.terminates) == (Verdict.PROVED, True)
    assert pairs(three) <= pairs(two)
    assert three.closed is not None
    certificate = certificate_of(three.closed, GOOD.id, PARAMS, three.levels)
    checked = verify(certificate, GOOD)
    assert (checked.fault, checked.ends) == ("", True)
