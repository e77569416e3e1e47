"""From the steps of a run to events that can be read: mnemonics, operands, what was seen.

Nothing here is needed to run or to judge: it looks at two neighbouring states and says in words
what lies between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from simbbm.arm64.agents import CTX, DVM, FLAG
from simbbm.arm64.context import Shared, ipa_name
from simbbm.arm64.cpu import Effect
from simbbm.arm64.descriptor import LEAF, TABLE, Descriptor
from simbbm.arm64.execution.accesses import Accesses
from simbbm.arm64.execution.ahead import Ahead
from simbbm.arm64.execution.decoding import bare
from simbbm.arm64.execution.listed import Listed
from simbbm.arm64.geometry import KERNEL_PAGE
from simbbm.arm64.ops import Physical
from simbbm.arm64.registers import Sctlr, Sgi, Tcr, Ttbr, Vttbr
from simbbm.arm64.state import Machine
from simbbm.arm64.translation.tlb import BY_IPA, Tlbi
from simbbm.arm64.translation.translate import READ, translations
from simbbm.core.points import ControlPoint
from simbbm.core.program import Op
from simbbm.core.system import STEP, Move
from simbbm.core.trace import HARDWARE, TraceEvent
from simbbm.core.unknown import Token
from simbbm.explore.counterexample.kernel_names import pointers
from simbbm.explore.runs.play import Run, RunStep
from simbbm.model import Model
from simbbm.report.inflight import in_flight, named, place_of

WORDS_SHOWN_MAX = 3
LOADS = {"ldr", "ldar", "ldapr", "ldxr", "ldaxr"}
COMPUTED_MIN = 10
"""Instructions of private computation that are told of."""
NOTHING_SEEN = object()
UNKNOWN = "?"
"""In place of a value that is not known yet: it is still in flight."""
_RUN = re.compile(r" x(\d+)(?= )")
"""In the label of a walk or an eviction: of how many neighbouring leaves it is."""


def events(run: Run) -> Iterator[TraceEvent]:
    """The steps of a run as events, in words that depend on no other run.

    What an operation observed is read off the automaton (`_observed`), which grows with every run
    on its machine. So the run's moves are taken again on a machine of its own, and each step is
    told when it is taken; that is no other run, and its end is not judged.
    """
    alone = run.model.anew()
    graph, shared = alone.graph, told_of(alone)
    node = graph.initial
    for step, k in enumerate(run.path):
        before, node = node, graph.follow(node, k)
        yield event(shared, RunStep(step, before, k, node))


def told_of(model: Model) -> Shared:
    """What a model's steps are told with: it knows the names of pointers to routines."""
    shared: Shared = model.system.shared
    return replace(shared, functions=pointers(model.automaton))


def event(shared: Shared, step: RunStep) -> TraceEvent:
    """Return one step as an event."""
    move = step.move
    before: Machine = step.before.state
    after: Machine = step.after.state
    effect = move.effect
    assert isinstance(effect, Effect)
    if move.kind != STEP:
        text = f"{HARDWARE} {_hardware(shared, move, effect)}"
        return TraceEvent(step.step, move.cpu, move.agent, move.label, text, "")
    cpu = before.cpus[move.cpu]
    if isinstance(cpu.flight, Listed):
        flown = after.cpus[move.cpu].flight
        assert isinstance(flown, Listed)
        return in_flight(shared, step.step, move, cpu, flown, value)
    if isinstance(cpu.flight, Ahead):
        return _ahead(shared, step.step, move, cpu.flight, before)
    point = cpu.point
    assert point.op is not None
    text = instruction(shared, point.op)
    seen = observed(shared, step)
    if seen is not NOTHING_SEEN and seen is not None:
        text += f" -> {value(shared, seen)}"
    notes = move.notes
    if point.computed >= COMPUTED_MIN:
        notes = (f"after {point.computed:,} instructions", *notes)
    return TraceEvent(step.step, move.cpu, move.agent, move.label, text, function_of(point), notes)


def _ahead(shared: Shared, step: int, move: Move, flight: Ahead, before: Machine) -> TraceEvent:
    """A step of one of several operations of a program that are in flight."""
    cpu = before.cpus[move.cpu]
    code = flight.code(cpu, move.cpu)
    i = place_of(move, code)
    point = list(flight.points(cpu.point))[i]
    assert point.op is not None
    what, word = move.variant.strip(), flight.window[i].word
    text, notes = instruction(shared, point.op), move.notes
    if what == "reads" and word is not None:
        read = Accesses(shared, cpu, before.memory, move.cpu, owed=False).value(i, word)[2]
        text += f" -> {value(shared, read)}"
    elif not notes and what not in ("", "executes", "reads"):
        text += f": {named(shared, what)}"
    if i:
        notes = (*notes, f"ahead of {code[0].label}")
    return TraceEvent(step, move.cpu, move.agent, move.label, text, function_of(point), notes)


def function_of(point: ControlPoint) -> str:
    """The innermost routine of a control point."""
    return point.path.rpartition("/")[2].partition("#")[0]


def instruction(shared: Shared, op: Op) -> str:
    """An operation as it would be written down."""
    head, _, variant = op.mnemonic.partition(".")
    args = tuple(map(bare, op.args))
    match head:
        case "wait":
            address, predicate, more = args
            wanted = predicate.__name__ + (f"({_list(shared, more)})" if more else "")
            return f"wait {_address(shared, address)} {wanted}"
        case "fill":
            first, number = value(shared, args[1]), args[3]
            return f"fill {_address(shared, args[0])}, {number} entries from {first} on"
        case "br":
            return f"br {shared.page_name(args[0])}"
        case "tlbi":
            return f"tlbi {variant}{_tlbi_operands(shared, args[0])}"
        case "msr" | "mrs":
            return f"{head} {variant}" + "".join(f", {value(shared, a)}" for a in args)
        case "eret" if variant:
            return f"eret to {variant.upper()}"
        case "eret":
            return "eret" if args[0] else "eret to the next"
        case "panic":
            return f"panic: {args[0]}"
        case "ic":
            return f"ic {variant}" + (f" {_address(shared, args[0])}" if args else "")
        case "cpu_on":
            return f"cpu_on cpu{args[0].target}"
        case "svc" | "hvc":
            return f"{head} {args[0]}"
    if not args:
        return f"{head} {variant}".rstrip()
    told = _list(shared, args[1:])
    return f"{op.mnemonic} {_address(shared, args[0])}{', ' if told else ''}{told}"


def _address(shared: Shared, address: Any) -> str:
    """The name of a word, as far as its address is known."""
    if type(address) is Token:
        return UNKNOWN
    return shared.name(address.address if type(address) is Physical else address)


def value(shared: Shared, word: Any) -> str:
    """A word, register or TLBI with names where it has any."""
    if type(word) is Token:
        return UNKNOWN
    if isinstance(word, Descriptor):
        if word.kind == TABLE:
            return f"table({_bare(shared.name(word.output))})"
        return str(word) if word.kind == LEAF or word.output or word.software else "invalid"
    if isinstance(word, Ttbr):
        asid = f" asid {word.asid}" if word.asid else ""
        return _bare(shared.name(word.baddr)) + asid + (" cnp" if word.cnp else "")
    if isinstance(word, Sctlr):
        return f"M={int(word.m)}"
    if isinstance(word, Sgi):
        target = "all others" if word.target is None else f"cpu{word.target}"
        return f"SGI {word.intid} to {target}"
    if isinstance(word, Vttbr):
        return f"{_bare(shared.name(word.baddr))} vmid {word.vmid}"
    if isinstance(word, Tcr):
        return f"t0_bits={word.t0_bits}" + (" epd0" if word.epd0 else "")
    if isinstance(word, int) and not isinstance(word, bool) and word > 9:
        return _pointed_at(shared, word) or f"{word:#x}"
    return str(word)


def _pointed_at(shared: Shared, word: int) -> str:
    """What a kernel address in a word is the address of; a kernel page's name; else nothing.

    Addresses below the kernel's look like other numbers, and are shown as such.
    """
    if word in shared.functions:
        return f"&{shared.functions[word]}"
    if word >= KERNEL_PAGE * shared.geometry.page_words:
        return f"&{shared.name(word)}"
    return shared.page_name(word) if word >= KERNEL_PAGE else ""


def _bare(name: str) -> str:
    """A table's name: its first word's without the index."""
    return name.removesuffix("[0]")


def _list(shared: Shared, words: tuple[Any, ...]) -> str:
    shown = [value(shared, word) for word in words[:WORDS_SHOWN_MAX]]
    more = len(words) - WORDS_SHOWN_MAX
    return ", ".join(shown) + (f", ... {more} more" if more > 0 else "")


def _tlbi_operands(shared: Shared, tlbi: Tlbi) -> str:
    name = ipa_name if tlbi.op in BY_IPA else shared.page_name
    page = "" if tlbi.page is None else f", {name(tlbi.page)}"
    pages = f" and on, {tlbi.pages} pages" if tlbi.pages > 1 else ""
    asid = "" if tlbi.asid is None else f", asid {tlbi.asid}"
    hint = f", of level {tlbi.ttl}" if tlbi.ttl > 0 else ""
    return page + pages + asid + (", of another granule" if tlbi.ttl < 0 else hint)


def _hardware(shared: Shared, move: Move, effect: Effect) -> str:
    if effect.write:
        address, words = effect.write
        if move.kind == FLAG:
            return f"sets the access flag: {shared.name(address)} = {_list(shared, words)}"
        return f"drain {shared.name(address)} = {_list(shared, words)}"
    if move.kind in DVM:
        name = move.what if move.what.startswith("ic ") else f"tlbi {move.what}"
        return f"{name} from cpu{move.issuer} {move.kind}"
    if move.kind == CTX:
        return f"{move.what} takes effect"
    what = _RUN.sub(r" (\1 in a row)", move.what)
    return f"{move.kind} {what}".rstrip()


def observed(shared: Shared, step: RunStep) -> Any:
    """What a program's operation observed with a step; NOTHING_SEEN if nothing."""
    before, number = step.before.state, step.move.cpu
    point: ControlPoint = before.cpus[number].point
    seen = _observed(point, step.after.state.cpus[number].point)
    if seen is NOTHING_SEEN and point.op is not None and point.op.mnemonic in LOADS:
        seen = _loaded(shared, before, number, point.op, step.move.variant)
    return seen


def _observed(before: ControlPoint, after: ControlPoint) -> Any:
    """What the operation observed, if the way that the program went on tells."""
    seen = list(before.observed(after))
    return seen[0] if len(seen) == 1 else NOTHING_SEEN


def _loaded(shared: Shared, state: Machine, number: int, op: Op, suffix: str) -> Any:
    """The value of a load that the program ignores, so that the automaton does not have it."""
    cpu = state.cpus[number]
    page, word = divmod(op.args[0], shared.geometry.page_words)
    for t in translations(shared, cpu, state.memory, page, READ):
        if t.suffix == suffix and not t.fault:
            physical = t.page * shared.geometry.page_words + word
            forwarded = cpu.buffer.forward(physical)
            return shared.memories.read(state.memory, physical) if forwarded is None else forwarded
    return NOTHING_SEEN
