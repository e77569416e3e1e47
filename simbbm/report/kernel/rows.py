"""Rows of `simbbm kernel`: a kernel image, its functions, what they call, instructions."""

from __future__ import annotations

from typing import Any

from simbbm.report.rows import Row


class KernelRow(Row, tag="kernel", tag_field="type", frozen=True, kw_only=True):
    """What a kernel image is."""

    file: str
    form: str
    """How it is packed, from inside out: "Image", "Image in gzip in zboot", "vmlinux"."""
    release: str
    banner: str
    digest: str
    """SHA-256 of the file."""
    build_id: str | None
    page_size: int | None
    va_bits: int | None
    va_bits_min: int | None
    table_levels: int | None
    base: int
    size: int
    symbols: int
    symbols_from: str
    types: int | None
    """How many are known: all of BTF, of DWARF those that are looked at."""
    types_from: str | None
    """"BTF" or "DWARF"."""
    cpu_features: list[str]
    """Capabilities that its alternatives are patched for."""
    alternatives: list[dict[str, Any]]
    """Of the functions on the path: `capability`, `entries`, `functions`, `patched`."""
    jump_labels: list[dict[str, str]]
    """Of the functions on the path: `key`, `place`, `target`."""
    allow_list: str | None
    allowed: list[dict[str, Any]] | None
    """CPUs that may change the size of a live block: `cpu`, `revisions`, `midr`, `low`, `high`."""
    unknown: int
    """Instructions of its functions that cannot be executed."""
    assumed: list[str]


class FunctionRow(Row, tag="kernel-function", tag_field="type", frozen=True, kw_only=True):
    """A function of the split, or of KPTI's."""

    name: str
    path: str
    address: int
    bytes: int
    instructions: int
    operations: dict[str, int]
    """Barriers, TLBI, system registers, hints, exclusives and atomics, and how many of each."""
    unknown: list[dict[str, Any]]
    """Instructions that cannot be executed: `offset`, `word`, `why`."""


class ExternalRow(Row, tag="kernel-external", tag_field="type", frozen=True, kw_only=True):
    """A function that is called on the way."""

    name: str
    treatment: str
    how: str
    callers: list[str]


class ExecutionRow(Row, tag="kernel-trace", tag_field="type", frozen=True, kw_only=True):
    """One CPU that executes the split alone; its operations follow."""

    cpu: int
    instructions: int
    outcome: str


class OperationRow(Row, tag="kernel-operation", tag_field="type", frozen=True, kw_only=True):
    """What one CPU asks of the machine while it executes the split, in order."""

    cpu: int
    place: str
    operation: str
    what: str
    times: int


class ComparisonRow(Row, tag="kernel-comparison", tag_field="type", frozen=True, kw_only=True):
    """One CPU of an image beside the model's; its steps follow."""

    cpu: int
    agrees: bool
    same: int
    explained: int
    unexplained: int
    finding: str
    """What kept the image from being executed to its end, or is wrong with its result."""


class ComparedRow(Row, tag="kernel-compared", tag_field="type", frozen=True, kw_only=True):
    """A step of one CPU of an image beside the model's."""

    cpu: int
    place: str | None
    """The instruction; None: the image has no such step."""
    step: str | None
    model_place: str | None
    model_step: str | None
    verdict: str
    """"same", "explained" or "unexplained"."""
    why: str


class PairRow(Row, tag="kernel-pair", tag_field="type", frozen=True, kw_only=True):
    """Two images that are compared; what differs follows."""

    before: str
    after: str
    """Files, as they were given."""
    releases: list[str]
    digests: list[str]
    build_ids: list[str | None]
    same: bool
    """Whether no other CPU can notice a difference."""
    differences: int
    verdicts: list[str] | None = None
    """Of both, if they were searched."""


class DifferenceRow(Row, tag="kernel-difference", tag_field="type", frozen=True, kw_only=True):
    """Something that one of two images has in another way, or alone."""

    kind: str
    """"fact", "function", "called", "alternative", "jump label", "cpu", "step", "verdict" or
    "ablation"."""
    name: str
    before: str | None
    after: str | None
    place_before: str | None
    place_after: str | None
    matters: bool
    """Whether other CPUs can notice it."""


class InstructionRow(Row, tag="kernel-instruction", tag_field="type", frozen=True, kw_only=True):
    """An instruction of a function that is disassembled."""

    function: str
    offset: int
    word: int | None
    text: str
    patched: bool
