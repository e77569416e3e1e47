"""What a kernel makes of its linear map on a machine: blocks, pages, a repaint, a refused CPU.

`linear_map` reads as the kernel's own code does (mmu.c:map_mem, mmu.c:force_pte_mapping,
mmu.c:linear_map_maybe_split_to_ptes, cpufeature.c:verify_local_cpu_capabilities), with the facts
that it asks for as arguments. Facts that are not known take both values: one mode in all of these
worlds is an answer, several are `unknown`.

Simplified: CPUs that are not late all come online at boot, so a CPU that firmware fails to start is
counted (a repaint may be reported that does not happen).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Literal, NamedTuple

from simbbm.field.facts import SUREST, Confidence, Truth, weakest
from simbbm.field.known import Known
from simbbm.field.machines import Cpu, Kind, Machine, Options
from simbbm.field.noabort import Answer, Rules, noabort

Mode = Literal["blocks", "pages", "repaint", "refused", "unknown"]
MODES: tuple[Mode, ...] = ("blocks", "pages", "repaint", "refused", "unknown")


def linear_map(
    *, repaints: bool, boot: bool, early: bool, late: bool, single: bool, debug: bool
) -> Mode:
    """What becomes of the linear map, all facts known.

    `boot`, `early` and `late`: whether the CPU that boots, all others that come online at boot, and
    all that come later may see a size change. `single`: whether single pages may have to be
    protected (pageattr.c:can_set_direct_map); `debug`: debug_pagealloc.
    """
    if boot and early and not late:
        return "refused"
    if debug:
        return "pages"
    if not (boot and repaints):
        return "pages" if single else "blocks"
    return "blocks" if early or not single else "repaint"


class Asked(NamedTuple):
    """A kind of core among those that do not boot, with what a kernel says of it."""

    kind: Kind
    late: Truth
    answer: Answer


class Decision(NamedTuple):
    """What a kernel does on a machine that boots on a kind of core."""

    mode: Mode
    because: str
    confidence: Confidence
    possible: tuple[Mode, ...]
    """All modes that what is known allows; one, unless the mode is unknown."""


def decide(machine: Machine, boots: Kind, rules: Rules, known: Known) -> Decision:
    """What a kernel does on a machine if a CPU of this kind boots, and why."""
    boot = noabort(boots, rules, known)
    asked = _asked(machine.others(boots), rules, known)
    single, debug = single_pages(machine.options, rules), machine.options.debug_pagealloc
    found = _worlds(rules, boot, asked, single=single, debug=debug)
    if len(found) > 1:
        why = _open(boots, boot, asked, single, machine.options, known)
        return Decision("unknown", f"{' or '.join(found)} ({why})", "unknown", tuple(found))
    (mode,) = found
    why, used = _because(mode, rules, (boots, boot), asked, machine.options, known, single)
    return Decision(mode, why, weakest(used), (mode,))


def single_pages(options: Options, rules: Rules) -> Truth:
    """Whether single pages may have to be protected (pageattr.c:can_set_direct_map)."""
    full = rules.rodata.get(options.rodata) if options.rodata else options.full_by_default
    reasons = (full, options.kfence, options.realm)
    return True if True in reasons else None if None in reasons else False


def _asked(others: Iterable[Cpu], rules: Rules, known: Known) -> list[Asked]:
    """The kinds among some CPUs, each once for early and late ones."""
    kinds = dict.fromkeys((cpu.kind, cpu.late) for cpu in others)
    return [Asked(kind, late, noabort(kind, rules, known)) for kind, late in kinds]


def _worlds(
    rules: Rules, boot: Answer, asked: Sequence[Asked], *, single: Truth, debug: bool
) -> list[Mode]:
    """The modes in all worlds that what is known allows, in the order of MODES."""
    # A CPU that may be early or late, and lacks it, makes one of both false.
    either = any(one.late is None and one.answer.value is False for one in asked)
    early = _all(one for one in asked if one.late is not True)
    late = _all(one for one in asked if one.late is not False)
    found = {
        linear_map(
            repaints=rules.repaints,
            boot=b,
            early=e,
            late=not rules.refuses_late or w,
            single=s,
            debug=debug,
        )
        for b, e, w, s in product(_both(boot.value), _both(early), _both(late), _both(single))
        if not (either and e and w)
    }
    return [mode for mode in MODES if mode in found]


def _all(asked: Iterable[Asked]) -> Truth:
    """Whether all of these may see a size change; one that may be elsewhere decides nothing."""
    values = [
        None if one.late is None and one.answer.value is False else one.answer.value
        for one in asked
    ]
    return False if False in values else None if None in values else True


def _both(fact: Truth) -> tuple[bool, ...]:
    return (True, False) if fact is None else (fact,)


def _because(
    mode: Mode,
    rules: Rules,
    booting: tuple[Kind, Answer],
    asked: Sequence[Asked],
    options: Options,
    known: Known,
    single: Truth,
) -> tuple[str, list[Confidence]]:
    """Why it is that mode, and how sure each thing is that this rests on."""
    boots, boot = booting
    told = f"boots on {boots.told(known)}, which {boot.why}"
    if mode == "pages" and options.debug_pagealloc:
        return "debug_pagealloc is on: pages, whatever the CPUs are", ["verified"]
    if mode == "pages" and not rules.repaints:
        return "this kernel never splits its linear map: pages, whatever the CPUs are", ["verified"]
    if mode == "blocks" and single is False:
        word = f"rodata={options.rodata}" if options.rodata else "rodata is not full by default"
        return f"{word}: no single page is protected, whatever the CPUs are", ["verified"]
    if mode == "pages":
        return told, [boot.confidence]
    lacking = [one for one in asked if one.answer.value is False]
    if mode == "blocks":
        every = [boot.confidence, *(one.answer.confidence for one in asked)]
        others = _listed_others(boots, asked, known)
        return f"{told}{others}", every
    wanted = [one for one in lacking if (one.late is True) == (mode == "refused")] or lacking
    names = _said(((one.kind, one.answer.why) for one in wanted), known)
    surest = min((one.answer.confidence for one in wanted), key=SUREST.index)
    if mode == "repaint":
        return f"{told}; {names}", [boot.confidence, surest]
    every = [boot.confidence, *(o.answer.confidence for o in asked if o.answer.value)]
    end = "is refused when it comes online (cpu_die_early)"
    return f"{told}, as all that come online at boot; {names}, so it {end}", [*every, surest]


def _listed_others(boots: Kind, asked: Sequence[Asked], known: Known) -> str:
    """The other kinds of a machine of which all are alike to the kernel."""
    names = dict.fromkeys(one.kind.told(known) for one in asked if one.kind != boots)
    if not names:
        return ", as are all others" if asked else ""
    return f"; so {'are' if len(names) > 1 else 'is'} {', '.join(names)}"


def _open(
    boots: Kind,
    boot: Answer,
    asked: Sequence[Asked],
    single: Truth,
    options: Options,
    known: Known,
) -> str:
    """What has to be known for an answer."""
    unsure = [(boots, boot.why)] if boot.value is None else []
    unsure += [(one.kind, one.answer.why) for one in asked if one.answer.value is None]
    parts = [_said(unsure, known)] if unsure else []
    if single is None:
        word = options.rodata or "full"
        parts.append(f"whether single pages are protected with rodata={word}, KFENCE, a realm")
    parts += [
        f"whether {one.kind.told(known)} comes online at boot, or later"
        for one in asked
        if one.late is None and one.answer.value is not True
    ]
    return "; ".join(parts)


def _said(answers: Iterable[tuple[Kind, str]], known: Known) -> str:
    """What is said of some cores; those of which the same is said together."""
    by_why: dict[str, list[str]] = {}
    for kind, why in dict.fromkeys(answers):
        by_why.setdefault(why, []).append(kind.told(known))
    return "; ".join(
        f"{', '.join(names)}{': each' if len(names) > 1 else ''} {why}"
        for why, names in by_why.items()
    )
