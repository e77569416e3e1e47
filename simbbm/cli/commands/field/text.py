"""Rows of `simbbm survey` as people read them, and as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simbbm.field.machines import UNKNOWN
from simbbm.field.survey import merged
from simbbm.host.amounts import amount
from simbbm.host.terminal import style
from simbbm.report.field_rows import FieldRow, FieldSummaryRow, MachineRow, SurveyRow

COLOURS = {
    "blocks": "green",
    "repaint": "yellow",
    "refused": "red",
    "unknown": "cyan",
}
ERRATA = {
    3053180: " (always break before make)",
    3683289: " (livelock when a size changes)",
    4118414: " (kernels repeat a broadcast TLBI and its DSB)",
}
ANSWERS = {
    "repaint": "take it as they usually boot",
    "depends": "take it if",
    "never": "never take it",
    "unknown": "not known enough",
}


def machine_lines(head: MachineRow, rows: Sequence[SurveyRow]) -> Iterator[str]:
    """A machine, and what kernels make of it."""
    yield f"{style(head.machine, bold=True)}  {', '.join(_size(head))}".rstrip()
    for core in head.cores:
        yield f"    {_core(core, counted=head.cpus is not None)}".rstrip()
    for erratum in head.errata:
        why = ERRATA.get(erratum["number"], "")
        yield f"    erratum {erratum['number']}{why}: {', '.join(erratum['cores'])}"
    yield from (style(f"    {note}", fg="yellow") for note in head.notes)
    for core_name in dict.fromkeys(row.boot_core for row in rows):
        mine = [row for row in rows if row.boot_core == core_name]
        yield style(f"  {_booted(mine[0], head)}", fg="cyan")
        parts = merged(mine)
        width = max(len(_kernels(part)) for part in parts)
        for part in parts:
            mode = style(f"{part[0].mode:<7}", fg=COLOURS.get(part[0].mode))
            yield f"    {_kernels(part):<{width}}  {mode}  {_because(part[0])} [{_sure(part)}]"
            yield from (f"    {'':<{width}}  {line}" for line in _costs(part[0]))
    yield style("  this rests on", fg="cyan")
    for source in head.sources:
        if source["kind"] != "kernel":
            what = f"list of {source['what']}" if source["kind"] == "list" else source["what"]
            yield f"    {what}: {source['source']} [{source['confidence']}]"


def _size(head: MachineRow) -> Iterator[str]:
    """How large a machine is, as far as that is known."""
    if head.cpus is not None:
        yield amount(head.cpus, "CPU")
    if head.page_size:
        yield f"{head.page_size >> 10}K pages"
    if head.memory_bytes:
        yield size(head.memory_bytes)
    if head.release:
        yield f"Linux {head.release}"


def size(count: int) -> str:
    """Bytes as people say them."""
    for letter, unit in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if count >= 1 << unit:
            return f"{count / (1 << unit):.4g} {letter}iB"
    return f"{count} bytes"


def _core(core: dict[str, str], *, counted: bool) -> str:
    """A kind of core, with its CPUs."""
    unknown = "" if core["core"] == UNKNOWN else "(revision not known)"
    name = f"{core['core']} {core['revision'] or unknown}"
    late = f", late: {core['late']}" if core["late"] else ""
    perhaps = f", perhaps late: {core['perhaps_late']}" if core["perhaps_late"] else ""
    return f"{name:<34}  " + (f"cpu {core['cpus']}{late}{perhaps}" if counted else "")


def _booted(row: SurveyRow, head: MachineRow) -> str:
    """On which core it boots, and whether it does."""
    if row.boots is None:
        return f"if it boots on {row.boot_core}"
    if row.boots:
        sure = "" if head.boots_confidence == "verified" else f" [{head.boots_confidence}]"
        return f"booted on {row.boot_core}, as it does{sure}"
    return f"if it booted on {row.boot_core}"


def _kernels(part: Sequence[SurveyRow]) -> str:
    """Which kernels; a star marks the one that the machine runs."""
    first, last = part[0].kernel, part[-1].kernel
    told = first if first == last else f"{first} to {last}"
    return told + "*" * any(row.running for row in part)


def _sure(part: Sequence[SurveyRow]) -> str:
    """How sure an answer is, and of which kernels less."""
    first = part[0].confidence
    others: dict[str, list[str]] = {}
    for row in part:
        if row.confidence != first:
            others.setdefault(row.confidence, []).append(row.kernel)
    return "; ".join((first, *(f"{', '.join(ks)} {sure}" for sure, ks in others.items())))


def _because(row: SurveyRow) -> str:
    """Why, under a heading that names the core that boots."""
    return row.because.replace(f"boots on {row.boot_core}, which ", "it ", 1)


def _costs(row: SurveyRow) -> Iterator[str]:
    """What a repaint costs, if that is known."""
    if told := _tables(row):
        yield f"tables: up to {told}"
    if row.windows:
        yield f"stops the machine for {_windows(row)}, by a model"


def _windows(row: SurveyRow) -> str:
    """How long a repaint takes; for every page size, if it is not known which it is."""
    times = {
        granule: f"{median:.3g} ms ({low:.3g} to {high:.3g})"
        for granule, (low, median, high) in (row.windows or {}).items()
    }
    if row.window_ms is not None:
        return " ".join(times.values())
    return ", ".join(f"{time} with {granule.upper()} pages" for granule, time in times.items())


def _tables(row: SurveyRow) -> str:
    """The memory of a repaint's tables; for every page size, if it is not known which it is."""
    if row.table_bytes is not None:
        return size(row.table_bytes)
    each = (
        f"{size(count)} with {granule.upper()} pages"
        for granule, count in (row.tables or {}).items()
    )
    return ", ".join(each)


def machine_markdown(head: MachineRow, rows: Sequence[SurveyRow]) -> Iterator[str]:
    """A machine as a table in Markdown."""
    yield f"### {cell(head.machine)}"
    yield ""
    if told := ", ".join(_size(head)):
        yield f"{told}."
    yield from (f"* {cell(note)}" for note in head.notes)
    yield ""
    yield "| boots on | kernel | linear map | because | sure | tables | stopped |"
    yield "|---|---|---|---|---|---|---|"
    for part in merged(rows):
        row = part[0]
        core = f"{row.boot_core}{' (as it does)' if row.boots else ''}"
        costs = _tables(row), _windows(row)
        cells = (core, _kernels(part), row.mode, row.because, _sure(part), *costs)
        yield f"| {' | '.join(map(cell, cells))} |"


def cell(text: str) -> str:
    """A text that stands in a table: no bar of it ends a cell, no mark of it begins a tag."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def field_lines(rows: Sequence[FieldRow], counts: Iterable[FieldSummaryRow]) -> Iterator[str]:
    """All SoCs, under each list."""
    yield "Which machines take the repaint path, by the list of CPUs that kernels go by"
    for count in counts:
        mine = [row for row in rows if row.list == count.list]
        yield ""
        yield style(f"{count.list}: {_span(count.kernels)}", bold=True)
        for answer, told in ANSWERS.items():
            those = [row for row in mine if row.answer == answer]
            yield style(f"  {told}: {len(those)} of {count.socs}", fg="cyan")
            for row in those:
                yield from _soc(row)


def _span(kernels: Sequence[str]) -> str:
    return kernels[0] if len(kernels) == 1 else f"{kernels[0]} to {kernels[-1]}"


def _soc(row: FieldRow) -> Iterator[str]:
    """A SoC, and what its answer rests on."""
    products = f" ({', '.join(row.products)})" if row.products else ""
    yield f"    {style(row.name, bold=True)}{products}: {_usually(row)} [{row.confidence}]"
    yield from (f"        {line}" for line in row.depends)


def _usually(row: FieldRow) -> str:
    """What it does as it usually boots."""
    return row.because if row.mode == "unknown" else f"{row.mode}, {row.because}"


def field_markdown(rows: Iterable[FieldRow], counts: Iterable[FieldSummaryRow]) -> Iterator[str]:
    """All SoCs as a table in Markdown, and the counts."""
    yield "| list | kernels | SoC | repaint | as it usually boots | it depends | sure |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        name = row.name + (f" ({', '.join(row.products)})" if row.products else "")
        depends = "; ".join(row.depends)
        cells = (row.list, _span(row.kernels), name, row.answer, _usually(row), depends)
        yield f"| {' | '.join(map(cell, (*cells, row.confidence)))} |"
    yield ""
    yield "| list | SoCs | repaint | depends | never | unknown |"
    yield "|---|---|---|---|---|---|"
    for count in counts:
        numbers = (count.socs, count.repaint, count.depends, count.never, count.unknown)
        yield f"| {count.list} | {' | '.join(map(str, numbers))} |"
