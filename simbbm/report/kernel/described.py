"""Rows of one kernel image, made from what `simbbm.binary` reads in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from simbbm.binary.disassembly import disassembler
from simbbm.binary.kernel import FunctionFacts, Kernel
from simbbm.binary.path import Word
from simbbm.binary.trace import Trace
from simbbm.explore.beside.compare import Comparison
from simbbm.explore.beside.differences import Difference
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

ASSUMED = ("no pointer authentication key is in use: PACIASP and AUTIASP change nothing",)
"""What is taken to be so, of every kernel."""


def kernel_row(found: Kernel, file: str) -> KernelRow:
    """The image as a whole."""
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
        types_from=found.btf.source if found.btf else None,
        cpu_features=list(found.cpu_features),
        alternatives=_alternatives(found),
        jump_labels=[
            {
                "key": found.symbols.told(label.key),
                "place": found.symbols.told(label.place),
                "target": found.symbols.told(label.target),
            }
            for label in found.jump_labels
        ],
        allow_list=allowed[0] if allowed else None,
        allowed=[
            {"cpu": r.model, "revisions": r.revisions, "midr": r.midr, "low": r.low, "high": r.high}
            for r in allowed[1]
        ]
        if allowed
        else None,
        unknown=sum(len(facts.unknown) for facts in found.functions),
        assumed=[_position(found), *ASSUMED],
    )


def _position(found: Kernel) -> str:
    virtual, physical = found.kaslr
    if not virtual and not physical:
        return "KASLR moves it nowhere: addresses are those it was linked for"
    return f"KASLR moves it up by {virtual:#x}, and in physical memory by {physical:#x}"


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


def function_row(found: Kernel, facts: FunctionFacts) -> FunctionRow:
    """A function of one of the paths."""
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


def external_rows(found: Kernel) -> list[ExternalRow]:
    """What the paths call and what is not executed."""
    return [
        ExternalRow(
            name=external.name,
            treatment="stub" if external.is_stub else "finding",
            how=external.treatment,
            callers=list(external.callers),
        )
        for external in found.externals
    ]


def trace_rows(done: Trace) -> tuple[ExecutionRow, list[OperationRow]]:
    """One CPU that executed the split, and its operations."""
    head = ExecutionRow(cpu=done.cpu, instructions=done.executed, outcome=done.outcome)
    return head, [OperationRow(**line._asdict()) for line in done.lines]


def comparison_rows(found: Comparison) -> tuple[ComparisonRow, list[ComparedRow]]:
    """One CPU of an image beside the model's, and its steps."""
    steps = [
        ComparedRow(
            cpu=found.cpu,
            place=image and image.place,
            step=image and str(image),
            model_place=model and model.place,
            model_step=model and str(model),
            verdict="unexplained" if why is None else "explained" if why else "same",
            why=why or "",
        )
        for (image, model), why in found.steps
    ]
    count = Counter(step.verdict for step in steps)
    head = ComparisonRow(
        cpu=found.cpu,
        agrees=found.agrees,
        same=count["same"],
        explained=count["explained"],
        unexplained=count["unexplained"],
        finding=found.finding,
    )
    return head, steps


def difference_rows(
    files: tuple[str, str],
    kernels: Sequence[Kernel],
    found: list[Difference],
    verdicts: list[str] | None = None,
) -> tuple[PairRow, list[DifferenceRow]]:
    """Two images, and what differs."""
    head = PairRow(
        before=files[0],
        after=files[1],
        releases=[kernel.image.version.release for kernel in kernels],
        digests=[kernel.image.digest for kernel in kernels],
        build_ids=[kernel.build_id for kernel in kernels],
        same=not any(difference.matters for difference in found),
        differences=len(found),
        verdicts=verdicts,
    )
    return head, [DifferenceRow(**difference._asdict()) for difference in found]


def instruction_rows(found: Kernel, name: str) -> Iterator[InstructionRow]:
    """The instructions of a function as capstone writes them."""
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
