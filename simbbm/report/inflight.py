"""Steps of a CPU that runs a listing: which instruction, and how far it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from simbbm.arm64.context import Shared
from simbbm.arm64.cpu import CpuState
from simbbm.arm64.execution.instructions import Decoded
from simbbm.arm64.execution.listed import Listed
from simbbm.arm64.execution.listing import IfEqual, IfFault, Instruction, Place, Reg
from simbbm.core.system import Move
from simbbm.core.trace import TraceEvent

Write = Callable[[Shared, Any], str]
"""How a word is written."""


def in_flight(
    shared: Shared, step: int, move: Move, before: CpuState, after: Listed, write: Write
) -> TraceEvent:
    """Return a step of an instruction in flight as an event."""
    flight = before.flight
    assert isinstance(flight, Listed)
    code = flight.window[place_of(move, flight.code(before, move.cpu))].code
    instruction = flight.thread.code[code]
    what = move.variant.strip()
    if move.notes:
        what = f"translates: {', '.join(move.notes)}"
    elif what == "reads":
        what += f" {write(shared, _read(after, code, instruction.destination))}"
    told = named(shared, f"{_instruction(shared, instruction, write)}: {what}")
    function = "" if instruction.number >= 0 else "handler"
    return TraceEvent(step, move.cpu, move.agent, move.label, told, function)


def place_of(move: Move, code: Sequence[Decoded]) -> int:
    """Which of several instructions in flight a step is of."""
    return next(i for i, instruction in enumerate(code) if instruction.label == move.what)


def named(shared: Shared, text: str) -> str:
    """Put the names of pages that have one in the place of their numbers."""
    words = shared.geometry.page_words
    return re.sub(r"0x[0-9a-f]+", lambda m: shared.symbols.get(int(m[0], 16) * words, m[0]), text)


def _read(flight: Listed, code: int, destination: int | None) -> Any:
    """What a load has just read: it is in the window still, or in its register already."""
    for entry in flight.window:
        if entry.code == code:
            return entry.value
    return dict(flight.registers).get(-1 if destination is None else destination)


def _instruction(shared: Shared, instruction: Instruction, write: Write) -> str:
    op = instruction.op
    if instruction.text:
        return instruction.text
    place = instruction.place and _place(shared, instruction.place)
    if op.startswith("ld"):
        return f"r{instruction.destination} = {op} {place}"
    if op.startswith("st") and place:
        return f"{op} {place} = {_value(shared, instruction.value, write)}"
    if op == "tlbi" and instruction.tlbi:
        return f"tlbi {shared.tlbi_name(instruction.tlbi)}"
    if op == "msr":
        return f"msr {instruction.option} = {_value(shared, instruction.value, write)}"
    return f"{op} {instruction.option}".rstrip()


def _place(shared: Shared, place: Place) -> str:
    return shared.name(place.address)


def _value(shared: Shared, value: Any, write: Write) -> str:
    if isinstance(value, Reg):
        return f"r{value.number}"
    if isinstance(value, IfEqual):
        return f"eq r{value.register} {write(shared, value.value)}"
    if isinstance(value, IfFault):
        return f"{value.then} if fault.{value.field}=={value.equals} else {value.otherwise}"
    return write(shared, value)
