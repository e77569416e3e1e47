"""Rows about machines: what each kernel makes of the linear map, for each core that could boot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

from simbbm.core.errors import UsageError
from simbbm.field.cost.tables import GRANULES, Span, table_bytes
from simbbm.field.known import Known, series
from simbbm.field.machines import PAGE_SIZES, Kind, Machine, spans
from simbbm.field.modes import decide
from simbbm.field.noabort import Rules
from simbbm.field.revisions import revision_from
from simbbm.report.field_rows import MachineRow, SurveyRow

VA_BITS = 52
"""The most that there are; what a split allocates does not depend on it."""


def machine_row(
    machine: Machine, file: str | None, rules: Sequence[Rules], known: Known
) -> MachineRow:
    """What a machine is."""
    late = {cpu.number: cpu.late for cpu in machine.cpus}
    boots = next((cpu.kind for cpu in machine.cpus if cpu.number == machine.boots), None)
    return MachineRow(
        machine=machine.name,
        file=file,
        cpus=len(machine.cpus) if machine.counted else None,
        cores=[
            {
                "core": kind.core(known),
                "revision": str(kind.revision) if kind.revision else None,
                "cpus": spans(numbers),
                "late": spans(n for n in numbers if late[n]),
                "perhaps_late": spans(n for n in numbers if late[n] is None),
            }
            for kind, numbers in sorted(machine.kinds().items(), key=lambda item: item[1])
        ],
        boots=boots.told(known) if boots else None,
        boots_confidence=machine.boots_confidence if boots else None,
        page_size=machine.page_size,
        memory_bytes=machine.memory,
        release=machine.release,
        errata=[
            {"number": number, "cores": cores} for number, cores in _errata(machine, known).items()
        ],
        notes=[*machine.notes, *_of_release(machine, known)],
        sources=list(_sources(machine, rules, known)),
    )


Estimate = Callable[[list[Span], str, int], tuple[float, float, float]]
"""Low, median and high of a stop in milliseconds, from RAM, page size and number of CPUs."""


def survey_rows(
    machine: Machine, rules: Sequence[Rules], known: Known, estimate: Estimate | None = None
) -> Iterator[SurveyRow]:
    """What each kernel does, for each kind of core that could boot, the one that does first.

    Without `estimate` nothing is said of how long a repaint takes.
    """
    booting = next((cpu.kind for cpu in machine.cpus if cpu.number == machine.boots), None)
    every, each = _tables(machine), cache(lambda: _windows(machine, estimate))
    granule = PAGE_SIZES.get(machine.page_size or 0, "")
    for kind, numbers in machine.kinds().items():
        for rule in rules:
            decision = decide(machine, kind, rule, known)
            tables = every if decision.mode == "repaint" else {}
            windows = each() if decision.mode == "repaint" else {}
            yield SurveyRow(
                machine=machine.name,
                kernel=rule.kernel,
                list=rule.listing,
                capability=rule.capability,
                boot_cpu=numbers[0],
                boot_core=kind.told(known),
                boots=None if booting is None else kind == booting,
                running=_runs(machine, rule),
                mode=decision.mode,
                because=decision.because,
                confidence=decision.confidence,
                table_bytes=tables.get(granule),
                tables=tables or None,
                window_ms=windows.get(granule),
                windows=windows or None,
            )


def _windows(machine: Machine, estimate: Estimate | None) -> dict[str, tuple[float, float, float]]:
    """How long a repaint stops the machine, by its page size, or by each if that is not known.

    None if too little is known of it, or nobody asks.
    """
    if estimate is None or not (machine.memory and machine.counted):
        return {}
    known = PAGE_SIZES.get(machine.page_size or 0)
    found = {}
    for granule in [known] if known else GRANULES:
        try:
            low, median, high = estimate(_ram(machine), granule, len(machine.cpus))
        except UsageError:  # more CPUs or RAM than the cost model knows
            continue
        found[granule] = low, median, high
    return found


def _ram(machine: Machine) -> list[Span]:
    """Where RAM is; one range, if that is not known."""
    return [Span(*one) for one in machine.ranges] or [Span(0, machine.memory or 0)]


def _tables(machine: Machine) -> dict[str, int]:
    """Bytes of tables that a repaint adds, by page size; none if nothing is known of its RAM.

    An upper bound if it is not known where RAM is: one range, without holes.
    """
    if not machine.memory:
        return {}
    try:
        return {
            granule: table_bytes(_ram(machine), granule, va_bits=VA_BITS) for granule in GRANULES
        }
    except UsageError:  # more than any linear map has room for
        return {}


def _sources(machine: Machine, rules: Sequence[Rules], known: Known) -> Iterator[dict[str, str]]:
    """Where what is known of it, of its cores, and of these kernels and their lists is from."""
    if machine.source:
        yield _source("soc", machine.name, machine.source, machine.boots_confidence)
    models = dict.fromkeys(kind.model for kind in machine.kinds())
    for core in (known.cores[model] for model in models if model in known.cores):
        yield _source("core", core.name, core.source, core.confidence)
    lists = {rule.listing: rule for rule in reversed(rules) if rule.listing}
    for name, rule in reversed(lists.items()):
        surest = known.lists[name].confidence if name in known.lists else rule.confidence
        yield _source("list", name, rule.listing_source or "", surest)
    for rule in rules:
        yield _source("kernel", rule.kernel, rule.source, rule.confidence)


def _source(kind: str, what: str, source: str, confidence: str) -> dict[str, str]:
    return {"kind": kind, "what": what, "source": source, "confidence": confidence}


def _runs(machine: Machine, rule: Rules) -> bool:
    """Whether a machine's kernel is of a series, or is that very release."""
    if machine.release is None:
        return False
    return machine.release == rule.kernel or (
        rule.kernel.count(".") == 1 and series(machine.release) == series(rule.kernel)
    )


def _of_release(machine: Machine, known: Known) -> Iterator[str]:
    """A note if the kernel that runs on a machine is none of the tables."""
    at = series(machine.release) if machine.release else None
    if machine.release and at not in map(series, known.kernels):
        first, *_, last = known.kernels
        yield f"it runs {machine.release}, of which the tables know nothing ({first} to {last})"


def _errata(machine: Machine, known: Known) -> dict[int, list[str]]:
    """The errata of its cores that matter to a split, with the cores that have them."""
    found: dict[int, list[str]] = {}
    for kind in machine.kinds():
        core = known.cores.get(kind.model) if kind.model else None
        for erratum in core.errata if core else ():
            if _has(kind, erratum.fixed):
                found.setdefault(erratum.number, []).append(kind.told(known))
    return dict(sorted(found.items()))


def _has(kind: Kind, fixed: str | None) -> bool:
    """Whether a kind of core has an erratum, or may have it."""
    first = revision_from(fixed) if fixed else None
    return first is None or kind.revision is None or kind.revision < first


def merged(rows: Iterable[SurveyRow]) -> list[list[SurveyRow]]:
    """Rows of kernels one after the other that say the same, together."""
    parts: list[list[SurveyRow]] = []
    for row in rows:
        before = parts[-1][-1] if parts else None
        if before and _said(before) == _said(row):
            parts[-1].append(row)
        else:
            parts.append([row])
    return parts


def _said(row: SurveyRow) -> tuple[object, ...]:
    return row.machine, row.boot_core, row.mode, row.because, row.table_bytes
