"""Rows of `simbbm kernel` as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from simbbm.host.terminal import style
from simbbm.report.kernel.rows import (
    ComparedRow,
    ComparisonRow,
    DifferenceRow,
    ExecutionRow,
    ExternalRow,
    FunctionRow,
    InstructionRow,
    KernelRow,
    OperationRow,
    PairRow,
)


def head_lines(row: KernelRow) -> Iterator[str]:
    """What it is, in a few lines."""
    yield f"{style(f'Linux {row.release}', bold=True)}  {row.form}, {row.size:,} bytes in memory"
    pages = f"{row.page_size >> 10}K pages" if row.page_size else "pages of unknown size"
    bits = f"{row.va_bits}-bit virtual addresses" if row.va_bits else "unusual virtual addresses"
    if row.va_bits != row.va_bits_min:
        bits += f" ({row.va_bits_min} where the CPU has no more)"
    levels = f", up to {row.table_levels} levels of tables" if row.table_levels else ""
    yield f"    {pages}, {bits}{levels}"
    yield f"    base {row.base:#x}, build id {row.build_id or 'none'}"
    none = "no BTF, and no DWARF that can be read: structures are not known"
    types = f"{row.types:,} types from {row.types_from}" if row.types else none
    yield f"    {row.symbols:,} symbols from {row.symbols_from}, {types}"
    yield f"    patched for {', '.join(row.cpu_features) or 'nothing optional'}"


TITLES = {"split": "The split", "kpti": "KPTI's non-global mappings"}


def function_lines(rows: list[FunctionRow]) -> Iterator[str]:
    """The functions of each path."""
    for path, title in TITLES.items():
        mine = [row for row in rows if row.path == path]
        total = sum(row.instructions for row in mine)
        yield ""
        yield style(f"{title}: {total:,} instructions in {len(mine)} functions", fg="cyan")
        for row in mine:
            asks = ", ".join(
                f"{name} x{count}" if count > 1 else name for name, count in row.operations.items()
            )
            yield f"    {row.name:<36} {row.instructions:>5}  {style(asks, dim=True)}".rstrip()
            for word in row.unknown:
                at = f"{row.name}+{word['offset']:#x}"
                shown = "" if word["word"] is None else f" {word['word']:08x}"
                yield style(f"        {at}:{shown} {word['why']}", fg="yellow")


def other_lines(head: KernelRow, externals: list[ExternalRow]) -> Iterator[str]:
    """Alternatives, CPUs, what is called, what is assumed."""
    yield ""
    yield style("Alternatives among them", fg="cyan")
    for row in head.alternatives:
        mark = "patched" if row["patched"] else "as built"
        yield f"    {row['capability']:<36} {mark:<9} {', '.join(row['functions'])}"
    yield ""
    none = "" if head.jump_labels else ": none"
    yield style(f"Jump labels among them{none}", fg="cyan")
    for label in head.jump_labels:
        yield f"    {label['key']:<36} {label['place']} -> {label['target']}"
    yield ""
    if head.allowed is None:
        yield style("CPUs that may change the size of a live block: no list found", fg="cyan")
    else:
        yield style(f"CPUs that may change the size of a live block ({head.allow_list})", fg="cyan")
    for row in head.allowed or []:
        yield f"    {row['cpu']:<36} {row['revisions']}"
    yield ""
    yield style("Called on the way, and not executed", fg="cyan")
    for external in externals:
        if external.treatment == "stub":
            yield f"    {external.name:<36} {external.how}"
    others = [external.name for external in externals if external.treatment != "stub"]
    if others:
        yield f"    a finding if it is reached: {', '.join(others)}"
    yield ""
    yield style("Assumed", fg="cyan")
    yield from (f"    {line}" for line in head.assumed)


CPUS = ("the boot CPU, alone", "a secondary, which the boot CPU releases when it waits")


def trace_lines(head: ExecutionRow, operations: list[OperationRow]) -> Iterator[str]:
    """What one CPU asked of the machine."""
    title = f"cpu{head.cpu}: {CPUS[head.cpu]}; {head.instructions:,} instructions"
    yield style(title, fg="cyan")
    for row in operations:
        many = f" x{row.times:,}" if row.times > 1 else ""
        yield f"    {row.place:<42} {row.operation} {row.what}".rstrip() + many
    if head.outcome:
        yield f"    {head.outcome}"


ROLES = ("the boot CPU waits for a secondary, and splits", "a secondary parks, and is released")


def comparison_lines(head: ComparisonRow, steps: list[ComparedRow]) -> Iterator[str]:
    """One CPU of an image beside the model's; reasons are numbered, and stand below."""
    counts = (f"{head.same} steps as in the model", f"{head.explained} explained")
    wrong = (f"{head.unexplained} unexplained",) if head.unexplained else ()
    title = f"cpu{head.cpu}: {ROLES[head.cpu]}: {', '.join((*counts, *wrong))}"
    yield style(title, fg="cyan")
    numbers: dict[str, int] = {}
    for row in steps:
        mark = {"same": "", "explained": "~", "unexplained": "!"}[row.verdict]
        number = f"[{numbers.setdefault(row.why, len(numbers) + 1)}]" if row.why else ""
        if row.model_step not in (row.step, None) and row.step:
            number = f"{row.model_step.removeprefix(row.step).strip()} there  {number}"
        place, model = row.place or "-", (row.model_place or "-").rpartition("/")[2]
        text = f"  {mark:<1} {place:<34} {row.step or row.model_step:<36} {model}  {number}"
        yield style(text.rstrip(), fg="yellow" if mark == "!" else None)
    for reason, n in numbers.items():
        yield f"    [{n}] {reason}"
    yield from (style(f"    {line}", fg="red") for line in disagreements(head, steps))


def disagreements(head: ComparisonRow, steps: list[ComparedRow]) -> Iterator[str]:
    """What an image does and the model does not, or the other way round, by symbol and offset."""
    for n, row in enumerate(steps):
        if row.verdict != "unexplained":
            continue
        if row.place and row.model_place:
            yield f"{row.place}: {row.step}, where the model has {row.model_step}"
        elif row.place:
            yield f"{row.place}: {row.step}, which the model does not do"
        else:
            before = next((other.place for other in steps[n:] if other.place), None)
            where = f"{before}: before it" if before else "at the end:"
            yield f"{where} the model does {row.model_step} ({row.model_place}), the image does not"
    if head.finding:
        yield head.finding


KINDS = {
    "fact": "What they are",
    "function": "Functions",
    "called": "Called on the way, and not executed",
    "alternative": "Alternatives on the path",
    "jump label": "Jump labels on the path",
    "cpu": "CPUs that may change the size of a live block",
    "step": "What the CPUs ask of the machine",
    "verdict": "Verdicts",
    "ablation": "Steps that carry the load",
}


def difference_lines(head: PairRow, rows: list[DifferenceRow]) -> Iterator[str]:
    """Two images, kind by kind."""
    yield style(f"{' -> '.join(head.releases)}", bold=True)
    for kind, title in KINDS.items():
        mine = [row for row in rows if row.kind == kind]
        if mine or kind == "step":
            yield style(title, fg="cyan")
        yield from map(_difference, mine)
        if kind == "step" and not mine:
            yield "    the same steps in the same order, on the boot CPU and on a secondary"
    if head.verdicts and len({*head.verdicts}) == 1:
        yield f"both are {head.verdicts[0]}"
    if head.differences and head.same:
        yield "no other CPU can notice a difference"


def _difference(row: DifferenceRow) -> str:
    sides = [
        f"{place + ': ' if place else ''}{value or '-'}"
        for place, value in ((row.place_before, row.before), (row.place_after, row.after))
    ]
    text = f"    {row.name:<36} {sides[0]} -> {sides[1]}"
    return style(text, fg="yellow") if row.matters else text


def instruction_line(row: InstructionRow) -> str:
    """An instruction; a star marks what was replaced."""
    mark = "*" if row.patched else " "
    word = "........" if row.word is None else f"{row.word:08x}"
    return f"{mark} +{row.offset:<#7x} {word}  {row.text}"
