"""`simbbm kernel`: what an arm64 kernel image is, and what of it the split is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import common, examples
from simbbm.host.terminal import echo, style

if TYPE_CHECKING:
    from simbbm.binary.kernel import FunctionFacts, Kernel
    from simbbm.binary.path import Word
    from simbbm.report.kernel_rows import (
        ExternalRow,
        FunctionRow,
        InstructionRow,
        KernelRow,
    )

ASSUMED = (
    "KASLR moves it nowhere: addresses are those it was linked for",
    "no pointer authentication key is in use: PACIASP and AUTIASP change nothing",
)
"""What is taken to be so, of every kernel."""


@click.command(
    "kernel",
    epilog=examples(
        "simbbm kernel vmlinuz",
        "simbbm kernel vmlinuz --trace",
        "simbbm kernel vmlinuz --cpu-features LSE,TLB_RANGE --disassemble flush_tlb_kernel_range",
    ),
)
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--system-map", type=click.Path(path_type=Path), help="Its symbols, from this file.")
@click.option(
    "--cpu-features",
    metavar="NAMES",
    help="What the machine has, for which the kernel patches itself.  [default: LSE]",
)
@click.option("--disassemble", metavar="FUNCTION", help="Show a function's instructions instead.")
@click.option("--trace", is_flag=True, help="Execute the split, and show what it asks for instead.")
@common
def command(
    image: Path,
    *,
    system_map: Path | None,
    cpu_features: str | None,
    disassemble: str | None,
    trace: bool,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Show what an arm64 kernel image is made of.

    IMAGE is what boots (an Image, raw or in gzip, xz, zstd or EFI zboot) or a vmlinux, of Linux
    6.18 or later: its version, sizes, the functions that split the linear map and what they ask of
    the machine, the alternatives among them, and the CPUs that it lets do it.
    """
    from simbbm.binary.kernel import kernel
    from simbbm.report.rows import encode

    found = kernel(image, system_map, None if cpu_features is None else _names(cpu_features))
    if disassemble is not None:
        for instruction in _instructions(found, disassemble):
            echo(encode(instruction) if as_json else _instruction(instruction), fold=False)
        return Exit.EXPECTED
    if trace:
        _trace(found, as_json=as_json)
        return Exit.EXPECTED
    functions = [_function_row(found, facts) for facts in found.functions]
    externals = _external_rows(found)
    head = _kernel_row(found, str(image), sum(len(row.unknown) for row in functions))
    if as_json:
        for row in (head, *functions, *externals):
            echo(encode(row))
        return Exit.EXPECTED
    for line in (*_head(head), *_table(functions), *_below(head, externals)):
        echo(line)
    return Exit.EXPECTED


def _names(text: str) -> list[str]:
    """Names between commas; none at all is allowed."""
    return [name.strip() for name in text.split(",") if name.strip()]


# Rows.


def _kernel_row(found: Kernel, file: str, unknown: int) -> KernelRow:
    from simbbm.report.kernel_rows import KernelRow

    image, allowed = found.image, found.allowed
    return KernelRow(
        file=file,
        form=image.form,
        release=image.version.release,
        banner=image.version.banner,
        digest=image.digest,
        build_id=found.build_id,
        page_size=image.page_size,
        va_bits=found.va_bits,
        va_bits_min=image.va_bits_min,
        table_levels=found.table_levels,
        base=image.base,
        size=image.end - image.base,
        symbols=len(found.symbols),
        symbols_from=found.symbols.source,
        types=len(found.btf) if found.btf else None,
        cpu_features=list(found.cpu_features),
        alternatives=_alternatives(found),
        allow_list=allowed[0] if allowed else None,
        allowed=[
            {"cpu": r.model, "revisions": r.revisions, "midr": r.midr, "low": r.low, "high": r.high}
            for r in allowed[1]
        ]
        if allowed
        else None,
        unknown=unknown,
        assumed=list(ASSUMED),
    )


def _alternatives(found: Kernel) -> list[dict[str, Any]]:
    """What the path's alternatives depend on, and whether it is patched."""
    patched = found.capabilities.numbers(found.cpu_features)
    places: dict[int, dict[str, int]] = {}
    for facts in found.functions:
        for entry in facts.alternatives:
            there = places.setdefault(entry.capability, {})
            name = facts.function.symbol.name
            there[name] = there.get(name, 0) + 1
    return [
        {
            "capability": found.capabilities.name(number),
            "entries": sum(there.values()),
            "functions": list(there),
            "patched": number in patched,
        }
        for number, there in sorted(places.items())
    ]


def _function_row(found: Kernel, facts: FunctionFacts) -> FunctionRow:
    from simbbm.report.kernel_rows import FunctionRow

    symbol = facts.function.symbol
    return FunctionRow(
        name=symbol.name,
        path=facts.function.path,
        address=symbol.address,
        bytes=symbol.size,
        instructions=facts.instructions,
        operations=dict(facts.operations()),
        unknown=[
            {"offset": w.address - symbol.address, "word": w.word, "why": _why(found, w)}
            for w in facts.unknown
        ],
    )


def _why(found: Kernel, word: Word) -> str:
    """Why an instruction cannot be executed."""
    if word.word is not None:
        return "no instruction that simbbm knows"
    return f"written at boot by a function of the kernel ({found.symbols.told(word.address)})"


def _external_rows(found: Kernel) -> list[ExternalRow]:
    from simbbm.report.kernel_rows import ExternalRow

    return [
        ExternalRow(
            name=external.name,
            treatment="stub" if external.is_stub else "finding",
            how=external.treatment,
            callers=list(external.callers),
        )
        for external in found.externals
    ]


# Text.


def _head(row: KernelRow) -> Iterator[str]:
    """What it is, in a few lines."""
    yield f"{style(f'Linux {row.release}', bold=True)}  {row.form}, {row.size:,} bytes in memory"
    pages = f"{row.page_size >> 10}K pages" if row.page_size else "pages of unknown size"
    bits = f"{row.va_bits}-bit virtual addresses" if row.va_bits else "unusual virtual addresses"
    if row.va_bits != row.va_bits_min:
        bits += f" ({row.va_bits_min} where the CPU has no more)"
    levels = f", up to {row.table_levels} levels of tables" if row.table_levels else ""
    yield f"    {pages}, {bits}{levels}"
    yield f"    base {row.base:#x}, build id {row.build_id or 'none'}"
    types = f"{row.types:,} types from BTF" if row.types else "no BTF: structures are not known"
    yield f"    {row.symbols:,} symbols from {row.symbols_from}, {types}"
    yield f"    patched for {', '.join(row.cpu_features) or 'nothing optional'}"


TITLES = {"split": "The split", "kpti": "KPTI's non-global mappings"}


def _table(rows: list[FunctionRow]) -> Iterator[str]:
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


def _below(head: KernelRow, externals: list[ExternalRow]) -> Iterator[str]:
    """Alternatives, CPUs, what is called, what is assumed."""
    yield ""
    yield style("Alternatives among them", fg="cyan")
    for row in head.alternatives:
        mark = "patched" if row["patched"] else "as built"
        yield f"    {row['capability']:<36} {mark:<9} {', '.join(row['functions'])}"
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


# Execution.


CPUS = ("the boot CPU, alone", "a secondary, which the boot CPU releases when it waits")


def _trace(found: Kernel, *, as_json: bool) -> None:
    """What the boot CPU and a secondary ask of the machine."""
    from simbbm.binary.trace import trace
    from simbbm.report.kernel_rows import ExecutionRow, OperationRow
    from simbbm.report.rows import encode

    for cpu, title in enumerate(CPUS):
        done = trace(found, cpu)
        if as_json:
            head = ExecutionRow(cpu=cpu, instructions=done.executed, outcome=done.outcome)
            echo(encode(head))
        else:
            echo(style(f"cpu{cpu}: {title}; {done.executed:,} instructions", fg="cyan"))
        for line in done.lines:
            if as_json:
                echo(encode(OperationRow(**line._asdict())))
            else:
                many = f" x{line.times:,}" if line.times > 1 else ""
                echo(f"    {line.place:<42} {line.operation} {line.what}".rstrip() + many)
        if done.outcome and not as_json:
            echo(f"    {done.outcome}")


# Disassembly.


def _instructions(found: Kernel, name: str) -> Iterator[InstructionRow]:
    """The instructions of a function as capstone writes them."""
    from simbbm.binary.disassembly import disassembler
    from simbbm.report.kernel_rows import InstructionRow

    facts = found.function(name)
    text = disassembler()
    start = facts.function.symbol.address
    for word in facts.words:
        at = word.address
        told = "(written at boot)" if word.word is None else text(word.word, at)
        if word.target is not None and not start <= word.target < start + 4 * len(facts.words):
            told += f"  <{found.symbols.told(word.target)}>"
        yield InstructionRow(
            function=name,
            offset=at - start,
            word=word.word,
            text=told,
            patched=word.word != found.image.u32(at),
        )


def _instruction(row: InstructionRow) -> str:
    mark = "*" if row.patched else " "
    word = "........" if row.word is None else f"{row.word:08x}"
    return f"{mark} +{row.offset:<#7x} {word}  {row.text}"
