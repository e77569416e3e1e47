"""`simbbm kernel`: what an arm64 kernel image is, and what of it the split is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simbbm.cli.exits import Exit
from simbbm.cli.options import SYMBOLS_DIR, common, examples
from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.terminal import echo

if TYPE_CHECKING:
    from simbbm.binary.formats.kaslr import Kaslr
    from simbbm.binary.kernel import Kernel
    from simbbm.report.rows import Row


@click.command(
    "kernel",
    epilog=examples(
        "simbbm kernel vmlinuz",
        "simbbm kernel vmlinuz --trace",
        "simbbm kernel vmlinuz --compare",
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
@click.option(
    "--kaslr-offset",
    "kaslr",
    metavar="VIRTUAL[,PHYSICAL]",
    help="How far KASLR has moved the image up, and in physical memory.  [default: 0]",
)
@click.option("--disassemble", metavar="FUNCTION", help="Show a function's instructions instead.")
@click.option("--trace", is_flag=True, help="Execute the split, and show what it asks for instead.")
@click.option("--compare", is_flag=True, help="Hold what it asks for against the model instead.")
@common
def command(
    image: Path,
    *,
    system_map: Path | None,
    cpu_features: str | None,
    kaslr: str | None,
    disassemble: str | None,
    trace: bool,
    compare: bool,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - nothing is logged here
) -> int:
    """Show what an arm64 kernel image is made of.

    IMAGE is what boots (an Image, raw or in gzip, xz, zstd or EFI zboot) or a vmlinux, of Linux
    6.18 or later: its version, sizes, the functions that split the linear map and what they ask of
    the machine, the alternatives among them, and the CPUs that it lets do it.
    """
    from simbbm.binary.kernel import kernel

    if compare + trace + (disassemble is not None) > 1:
        raise UsageError("only one of --compare, --trace and --disassemble can be shown")
    found = kernel(image, system_map, names(cpu_features), SYMBOLS_DIR, offsets(kaslr))
    if compare:
        return _compare(found, as_json=as_json)
    if disassemble is not None:
        answer = _disassembled(found, disassemble)
    elif trace:
        answer = _traced(found)
    else:
        answer = _described(found, str(image))
    _print(answer, as_json=as_json, fold=disassemble is None)
    return Exit.EXPECTED


def names(text: str | None) -> list[str] | None:
    """Names between commas; none at all is allowed. None: nothing was given."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


def offsets(text: str | None) -> Kaslr:
    """One offset, or two with a comma between them."""
    from simbbm.binary.formats.kaslr import NOWHERE, Kaslr

    if text is None:
        return NOWHERE
    parts = [reading.number(part.strip()) for part in text.split(",")]
    found = [part for part in parts if part is not None]
    if len(found) != len(parts) or len(found) > 2:
        raise UsageError(
            f"--kaslr-offset {reading.quoted(text)}: no offset",
            "for example 0x2a12340000,0x21000000",
        )
    return Kaslr(*found)


Part = tuple[Sequence["Row"], Iterable[str]]
"""Rows, and the same as text: lines are made only where they are printed."""


def _print(answer: Iterable[Part], *, as_json: bool, fold: bool) -> None:
    from simbbm.report.rows import encode

    for rows, lines in answer:
        for line in map(encode, rows) if as_json else lines:
            echo(line, fold=fold)


def _described(found: Kernel, file: str) -> Iterator[Part]:
    from simbbm.cli.commands.kernels.text import function_lines, head_lines, other_lines
    from simbbm.report.kernel.described import external_rows, function_row, kernel_row

    head, externals = kernel_row(found, file), external_rows(found)
    functions = [function_row(found, facts) for facts in found.functions]
    yield [head], head_lines(head)
    yield functions, function_lines(functions)
    yield externals, other_lines(head, externals)


def _traced(found: Kernel) -> Iterator[Part]:
    """What the boot CPU and a secondary ask of the machine."""
    from simbbm.binary.trace import trace
    from simbbm.cli.commands.kernels.text import trace_lines
    from simbbm.report.kernel.described import trace_rows

    for cpu in (0, 1):
        head, operations = trace_rows(trace(found, cpu))
        yield [head, *operations], trace_lines(head, operations)


GOOD = "linear_map_split::good"
"""The model that images are held against."""


def _compare(found: Kernel, *, as_json: bool) -> Exit:
    """Print both CPUs beside the model's; UNEXPECTED if a difference is not explained."""
    from simbbm import discovery
    from simbbm.cli.commands.kernels.text import comparison_lines
    from simbbm.explore.beside.compare import compare
    from simbbm.report.kernel.described import comparison_rows

    both = [comparison_rows(one) for one in compare(found, discovery.find(GOOD))]
    parts = [([head, *steps], comparison_lines(head, steps)) for head, steps in both]
    _print(parts, as_json=as_json, fold=False)
    return Exit.EXPECTED if all(head.agrees for head, _ in both) else Exit.UNEXPECTED


def _disassembled(found: Kernel, name: str) -> Iterator[Part]:
    from simbbm.cli.commands.kernels.text import instruction_line
    from simbbm.report.kernel.described import instruction_rows

    rows = list(instruction_rows(found, name))
    yield rows, map(instruction_line, rows)
