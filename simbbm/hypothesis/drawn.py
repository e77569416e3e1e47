"""Whole systems, drawn at random: of few states, and rich in what can go wrong.

Programs are made of fragments that people write (break-before-make, parking, locks, counters,
flags, loops) and of random steps between them; a fragment may lose a step. What is drawn first is
the plainest, so that Hypothesis shrinks towards it.
"""

from __future__ import annotations

from hypothesis import strategies as st

from simbbm.arm64.features import Features
from simbbm.hypothesis.fragments import (
    AWAITING,
    DSB,
    FLUSH,
    ISB,
    LEAVE,
    access,
    awaiting,
    barrier,
    changed_live,
    exclude,
    first,
    flush,
    fragment,
    inner,
    ipi,
    load,
    look,
    meet,
    park,
    place,
    steps,
    telling,
    tlbi,
)
from simbbm.hypothesis.interpreter import Steps
from simbbm.hypothesis.strategies import (
    features,
    of,
    one_of,
    sometimes,
)
from simbbm.hypothesis.strategies import step as make
from simbbm.hypothesis.systems import HARDWARE, PROPERTIES, SLOTS, WORDS, Member, System

STEPS_MAX = {2: 12, 3: 5, 4: 2}
"""Steps of a program, by number of CPUs."""


@st.composite
def _damaged(draw: st.DrawFn) -> Steps:
    """A fragment, which has perhaps lost a step."""
    whole: Steps = draw(fragment)
    if len(whole) > 1 and draw(sometimes(4)):
        lost = draw(st.integers(0, len(whole) - 1))
        return whole[:lost] + whole[lost + 1 :]
    return whole


@st.composite
def _program(draw: st.DrawFn) -> Steps:
    return sum(draw(st.lists(_damaged(), min_size=1, max_size=3)), ())


@st.composite
def _short(draw: st.DrawFn) -> Steps:
    """What many CPUs can do at once: one or two things that concern the others."""
    one = one_of(flush, flush, meet(), exclude(), first(), look(), inner)
    return sum(draw(st.lists(one, min_size=1, max_size=2)), ())


stored = one_of(
    make("str", of("pte x"), of("old", "new", "cont x", "third", "ro", "private")),
    make("str", of("pte x"), of("old", "old", "cont x")),
    make("str", of("pte y"), of("new", "new", "cont y", "third")),
    make("str", of("pte z"), of("third", "third", "old")),
    make("str", of("pte spare"), of("new", "old", "third")),
    make("str", of("count", "turn", "turn", "flag2"), of(1)),
    make("str", place, of(1)),
)
"""What may reach memory in any order: descriptors above all, leaves for leaves."""
settled = one_of(of((DSB,)), of((DSB,)), of((("dsb", "ishst"),)), of((("dsb", "ishld"),)), of(()))


@st.composite
def _batch(draw: st.DrawFn) -> Steps:
    """Stores to several descriptors, loads between them, and a DSB for all."""
    stores = draw(st.lists(stored, min_size=2, max_size=4))
    steps = [step for one in stores for step in (one, *[draw(load)] * draw(sometimes(4)))]
    told = draw(one_of(of(()), telling.map(lambda one: (one,)), first()))
    return (*draw(of((), (), (ISB,))), *steps, *draw(settled), *told)


@st.composite
def _watcher(draw: st.DrawFn) -> Steps:
    """Waits for a word, or does not, and looks at others."""
    own = one_of(look(), load.map(lambda one: (one,)), flush, steps)
    if draw(sometimes(4)):
        return draw(own)
    if draw(st.booleans()):
        return (draw(awaiting), *draw(own))
    return ("ldr", "flag"), ("if", 1, draw(own), ())


waking = of((), (), (("sev",),))


@st.composite
def _changer(draw: st.DrawFn) -> Steps:
    """A descriptor changes, and others are told so before and after."""
    before = (draw(telling), DSB) if draw(st.booleans()) else ()
    usual = of((("str", "pte x", "inv"), DSB, ("tlbi", "vmalle1is"), DSB, ("str", "pte x", "new")))
    changed = draw(one_of(usual, usual, changed_live()))
    return (*before, *changed, *draw(of((DSB,), (DSB,), ())), draw(telling), *draw(waking))


@st.composite
def _leaver(draw: st.DrawFn) -> Steps:
    """Out of the live map, and then a look at who has come how far."""
    leave = draw(one_of(of(LEAVE), of(LEAVE), park(), steps))
    return (*leave, *draw(one_of(look(), look(), load.map(lambda one: (one,)))))


by_page = one_of(
    make("tlbi", of("vaale1is", "vaale1is", "vaae1is", "vaale1"), of("page x", "page y", "page b")),
    tlbi,
)


@st.composite
def _flush_by_page(draw: st.DrawFn) -> Steps:
    """Descriptors change, and TLBIs follow, one after the other, with a DSB for all."""
    changed = make("str", of("pte x", "pte x", "pblock"), of("inv", "old", "new", "cont x"))
    ends = of((DSB,), (("dsb", "ishst"),), (DSB, ISB))
    steps = [draw(changed), *draw(ends)] if draw(st.booleans()) else []
    for number in range(draw(of(2, 2, 3))):
        between = draw(one_of(load, barrier, telling)) if draw(sometimes(8)) else None
        steps += [between] if number and between else []
        steps.append(draw(by_page))
    after = one_of(load.map(lambda one: (one,)), look(), telling.map(lambda one: (one,)), of(()))
    end = draw(of((DSB,), (DSB,), (DSB, ISB), (("dsb", "nsh"),), (("dsb", "ishst"),), ()))
    return (*steps, *end, *draw(after), *draw(of((), (), (("str", "flag", 1),))))


@st.composite
def _bystander(draw: st.DrawFn) -> Steps:
    """Has nothing that a TLBI could take away, and spins or ends; or gets something meanwhile."""
    waits = draw(one_of(awaiting.map(lambda one: (one,)), load.map(lambda one: (one,)), of(())))
    comes = of((), (("msr", "ttbr", "here"), ISB, ("ldr", "x")), (("str", "count", 1),), FLUSH)
    goes = draw(one_of(of(()), of(()), steps))
    return (*goes, *waits, *draw(comes))


@st.composite
def _piece(draw: st.DrawFn, role: st.SearchStrategy[Steps], most: int) -> Steps:
    """What somebody does, or so many steps in a row of it."""
    whole = draw(role)
    start = draw(st.integers(0, max(0, len(whole) - most)))
    return whole[start : start + most]


@st.composite
def _caller(draw: st.DrawFn) -> Steps:
    """Something is stored, and others are interrupted to look at it."""
    before = draw(st.lists(one_of(telling, access), max_size=2).map(tuple))
    settled = draw(of((DSB,), (("dsb", "ishst"),), (("dmb", "ishst"),), ()))
    after = draw(one_of(awaiting.map(lambda one: (one,)), look(), inner, of(())))
    return (*before, *settled, draw(ipi), *after)


@st.composite
def _called(draw: st.DrawFn) -> Steps:
    """Sleeps until it is interrupted, with interrupts masked or not, or does something else."""
    sleep: Steps = (("wfi",),)
    if draw(st.booleans()):
        sleep = (("daifset",), ("ldr", "flag"), ("if", 1, (), sleep), ("daifclr",))
    return (*draw(one_of(of(()), inner)), *draw(of(sleep, ())), *draw(one_of(inner, _caller())))


BOOT: Steps = (("tlbi", "vmalle1"), DSB, ("msr", "sctlr_el1", "mmu on"), ISB)


@st.composite
def _booted(draw: st.DrawFn) -> Steps:
    """Out of reset: the MMU is switched on, or a step of that is missing, and something is done."""
    lost = draw(st.integers(0, 2 * len(BOOT)))
    return (*BOOT[:lost], *BOOT[lost + 1 :], *draw(one_of(inner, look())))


@st.composite
def _patcher(draw: st.DrawFn) -> Steps:
    """Text is changed, and others are told; some of the barriers are missing."""
    ic = draw(of(("ic", "ialluis"), ("ic", "iallu"), ("ic", "ivau", "y")))
    steps = (("str", "y", 1), DSB, ic, DSB, *draw(of((ISB,), ())))
    lost = draw(st.integers(0, 2 * len(steps)))
    return (*steps[:lost], *steps[lost + 1 :], draw(telling), *draw(of((("fetch", "y"),), ())))


@st.composite
def _patched(draw: st.DrawFn) -> Steps:
    """Text is executed, before or after somebody has told."""
    return (*draw(of((("await", "flag", 1),), ())), *draw(of((ISB,), ())), ("fetch", "y"))


BOOTS = (one_of(_caller(), telling.map(lambda one: (one, ("cpu_on", 1)))), _booted(), _booted())
"""The first CPU runs, the others come out of reset."""
PATCHES = (_patcher(), _patched(), _patched())
PROTOCOL = (_changer(), _leaver(), fragment)
"""Who does what where one CPU changes tables and the others keep out of the way."""
ANYTHING = (_program(), _program(), _program())
STORES = (_batch(), _watcher(), _watcher())
"""One CPU stores to many descriptors before a DSB, the others are elsewhere."""
FLUSHES = (_flush_by_page(), _bystander(), _bystander())
"""TLBIs of one CPU are pending on all; the others are elsewhere, or are not."""
CALLS = (_caller(), _called(), _called())
"""One CPU interrupts the others, which may do so as well."""
CROWD = (_short(), _short(), _short())
"""Many CPUs, each of which does little."""

CASTS = (
    *((0, 1),) * 4,
    (0, 0),
    *((0, 1, 1),) * 3,
    *((0, 0, 1), (0, 0, 0), (0, 1, 2)),
    *((0, 0, 0, 0), (0, 1, 1, 1)),
)
"""Which program each CPU runs: alike CPUs run the same."""
CALLED = (
    "cpu0",
    "cpu1",
    "cpu2",
    "dvm0",
    "dvm1",
    "every pending_tlbis",
    "event",
    "past",
    "table 0x40",
    "a",
)
"""What words may be called: also as the parts of a machine are, and two of them alike."""


def _answered(programs: tuple[Steps, ...]) -> tuple[Steps, ...]:
    """Let somebody tell what somebody waits for, if nobody does, so that few systems are stuck."""
    steps = [step for steps in programs for step in steps]
    told = {step[1] for step in steps if step[0] in ("str", "stlr")}
    found = list(programs)
    for i, own in enumerate(programs):
        for name in ("flag", "flag2"):
            if name not in told and any(name in str(one) for one in own if one[0] in AWAITING):
                told.add(name)
                found[i - 1] = (*found[i - 1], ("str", name, 1))
    return tuple(found)


@st.composite
def _entries(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    """What the live map starts as where it is not as usual."""
    entries = {}
    if draw(sometimes(3)):
        entries["pte x"], entries["pte y"] = draw(
            of(("inv", "new"), ("cont x", "cont y"), ("private", "inv"), ("old", "new"))
        )
    if draw(sometimes(3)):
        entries["pte z"] = "third"
    if draw(sometimes(2)):
        entries["pblock"] = draw(of("old", "spare"))
    return tuple(entries.items())


@st.composite
def systems(draw: st.DrawFn) -> System:
    """A small system."""
    usual = (
        ANYTHING,
        STORES,
        PROTOCOL,
        STORES,
        PROTOCOL,
        STORES,
        FLUSHES,
        FLUSHES,
        CROWD,
        CALLS,
        BOOTS,
        PATCHES,
    )
    roles = draw(st.sampled_from(usual))
    cast = draw(
        st.sampled_from(((0, 1), (0, 1), (0, 1, 1)) if roles in (STORES, FLUSHES) else CASTS)
    )
    most = STEPS_MAX[len(cast)] if len(cast) == 2 else draw(st.integers(1, STEPS_MAX[len(cast)]))
    programs = tuple(
        draw(_piece(roles[n], 8 if roles in (STORES, FLUSHES) else most))
        for n in range(max(cast) + 1)
    )
    if not draw(sometimes(6)):
        programs = _answered(programs)
    cnp = roles is not FLUSHES and draw(sometimes(5))
    has = [draw(features()) if draw(sometimes(2)) else Features()] * len(programs)
    if draw(sometimes(4)):
        has[0] = draw(features())  # The others are made otherwise.
    named = st.dictionaries(of(*WORDS, *SLOTS), of(*CALLED), max_size=4)
    symbols = draw(named) | {"flag": draw(of(*CALLED))} if draw(sometimes(2)) else {}
    hardware = draw(sometimes(6))
    entries = draw(_entries())
    if roles is PATCHES:
        entries = (("pte y", "text"),)
    if roles is STORES and draw(st.booleans()):
        entries = (("pte x", "cont x"), ("pte y", "cont y"), ("pte z", "third"))
    # What is to stay mapped has to be so at the start.
    mapped = ("pte x", "inv") not in entries
    known = [name for name in PROPERTIES[:-1] if mapped or name != "fault"]
    far = roles is STORES or (roles is FLUSHES and not draw(sometimes(5)))
    ups = "on", draw(of("reset", "reset", "off")) if roles is BOOTS else "on"
    checked = st.lists(of(*known), max_size=2)
    always = draw(of(("conflict",), ("conflict",), ()))
    return System(
        programs,
        tuple(
            Member(n, has[n]._replace(tlb=int(cnp)), away=far and n > 0, power=ups[n > 0])
            for n in cast
        ),
        upper=draw(sometimes(2)),
        deep=draw(sometimes(5)),
        cnp=cnp,
        entries=entries,
        hardware=draw(st.sampled_from(sorted(HARDWARE))) if hardware else "delayed",
        window=draw(of(2, 3)) if draw(sometimes(12)) else 1,
        interrupts=draw(of("irq", "nmi", "serror")) if draw(sometimes(12)) else "",
        handler=draw(
            of("tell", "tell", "skip", "flush")
            if roles is CALLS
            else of("skip", "skip", "retry", "flush", "panic", "none")
        ),
        fetches=draw(sometimes(8)),
        properties=tuple(
            dict.fromkeys((*always, *draw(checked), *("one table",) * draw(sometimes(15))))
        ),
        symbols=tuple(symbols.items()),
    )
