"""Views as a certificate, which somebody else can check (`explore/certificate/`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import simbbm
from simbbm.explore.certificate.file import VERSION, Certificate, Part
from simbbm.explore.certificate.file import Level as Ranks
from simbbm.explore.every_n.termination import Level
from simbbm.explore.every_n.views import Views


def certificate_of(
    views: Views, scenario: str, params: Mapping[str, Any], levels: Iterable[Level] | None = None
) -> Certificate:
    """The certificate of views that were closed, and of which none is bad."""
    abstraction, parts = views.abstraction, views.parts
    counting = abstraction.counting
    shared = map(abstraction.shared_digest, parts.shared)
    others = map(abstraction.local_digest, parts.locals)
    return Certificate(
        version=VERSION,
        simbbm=simbbm.__version__,
        scenario=scenario,
        params={name: value for name, value in params.items() if name != "cpus"},
        k=views.k,
        targets={
            counter.name: list(targets)
            for counter, targets in zip(counting.counters, counting.targets, strict=True)
        },
        readings={at: sorted(others) for at, others in views.guesses.items()},
        shared=list(map(Part, shared, parts.origins(shared=True))),
        locals=list(map(Part, others, parts.origins(shared=False))),
        met=parts.met,
        views=sorted((g, *members) for g, known in enumerate(views.of) for members in known),
        levels=None if levels is None else [_ranked(each, len(parts.shared)) for each in levels],
        orders=views.steps.fewer.reduced() if abstraction.reduce else None,
    )


def _ranked(level: Level, shared: int) -> Ranks:
    """A level of ranks, without those of local states that are the smallest there."""
    least: dict[int, int] = {}
    for (at, _), rank in level.locals.items():
        least[at] = min(rank, least.get(at, rank))
    ranks = sorted((at, local, rank) for (at, local), rank in level.locals.items())
    return Ranks(
        shared=[level.shared.get(n, 0) for n in range(shared)],
        locals=[(at, n, rank - least[at]) for at, n, rank in ranks if rank > least[at] and n >= 0],
    )
