"""The answer in general: which SoCs that are known can take the repaint path, under which list.

A SoC is asked as it usually boots, and then for each of its other cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from simbbm.field.described import machine_of
from simbbm.field.facts import Soc, weakest
from simbbm.field.known import Known
from simbbm.field.machines import Kind, Machine
from simbbm.field.modes import Decision, decide
from simbbm.field.noabort import Rules, rules_of
from simbbm.report.field_rows import FieldRow, FieldSummaryRow


def field_rows(known: Known) -> Iterator[FieldRow]:
    """Every SoC under every list that kernels which repaint have had."""
    repaints = [row for row in known.kernels.values() if row.repaints and row.list]
    for _, group in groupby(repaints, key=lambda row: (row.list, row.field)):
        kernels = list(group)
        surest = min(kernels, key=lambda row: weakest((row.confidence,)) != "decoded")
        rules = rules_of(surest, known)
        for soc in known.socs.values():
            yield _row(soc, rules, tuple(row.version for row in kernels), known)


def _row(soc: Soc, rules: Rules, kernels: tuple[str, ...], known: Known) -> FieldRow:
    machine = machine_of(soc, known)
    decisions = {kind: decide(machine, kind, rules, known) for kind in machine.kinds()}
    usual = _usual(machine)
    first = decisions[usual] if usual else _whichever(decisions)
    depends = tuple(_depends(decisions, usual, known))
    return FieldRow(
        soc=soc.id,
        name=soc.name,
        products=soc.products,
        list=rules.listing or "",
        kernels=kernels,
        answer=_answer(first, decisions, usual),
        boots=soc.boots,
        mode=first.mode if first else "unknown",
        because=first.because if first else "which core boots is not known",
        depends=depends,
        confidence=weakest((soc.confidence, first.confidence if first else "unknown")),
        source=soc.source,
    )


def _usual(machine: Machine) -> Kind | None:
    """The kind of core that usually boots; any, if all are alike."""
    kinds = list(machine.kinds())
    booting = next((cpu.kind for cpu in machine.cpus if cpu.number == machine.boots), None)
    return booting or (kinds[0] if len(kinds) == 1 else None)


def _whichever(decisions: dict[Kind, Decision]) -> Decision | None:
    """The decision whichever core boots, if that makes no difference."""
    one, *others = decisions.values()
    if one.mode == "unknown" or any(other.mode != one.mode for other in others):
        return None
    confidence = weakest(other.confidence for other in decisions.values())
    return one._replace(because=f"whichever core boots: {one.because}", confidence=confidence)


def _answer(first: Decision | None, decisions: dict[Kind, Decision], usual: Kind | None) -> str:
    """Whether it repaints as it usually boots, might, never does, or nobody knows."""
    if first and first.mode == "repaint":
        return "repaint"
    might = {kind for kind, one in decisions.items() if "repaint" in one.possible}
    if any(kind.model for kind in might):
        return "depends"
    return "unknown" if might - {usual} else "never"


def _depends(decisions: dict[Kind, Decision], usual: Kind | None, known: Known) -> Iterator[str]:
    """What might bring a repaint if another core boots than usually."""
    for kind, one in decisions.items():
        if kind != usual and "repaint" in one.possible:
            mode = one.mode if one.mode == "repaint" else one.because
            yield f"booted on {kind.told(known)}: {mode}"


def summaries(rows: Iterable[FieldRow]) -> Iterator[FieldSummaryRow]:
    """The counts, by list."""
    for (name, kernels), group in groupby(rows, key=lambda row: (row.list, row.kernels)):
        counts = Counter(row.answer for row in group)
        yield FieldSummaryRow(
            list=name,
            kernels=kernels,
            socs=counts.total(),
            repaint=counts["repaint"],
            depends=counts["depends"],
            never=counts["never"],
            unknown=counts["unknown"],
        )
