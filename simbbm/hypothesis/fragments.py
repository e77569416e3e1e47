"""Fragments of programs that people write: break-before-make, parking, locks, counters, loops.

What is drawn first is the plainest, so that Hypothesis shrinks towards it.
"""

from __future__ import annotations

from hypothesis import strategies as st

from simbbm.hypothesis.interpreter import Steps
from simbbm.hypothesis.strategies import (
    accesses,
    barriers,
    invalidations,
    of,
    one_of,
)
from simbbm.hypothesis.strategies import step as make
from simbbm.hypothesis.systems import WORDS

COMMON = "away in common"
"""A TTBR with CnP, of another table than the live map's."""
word = of("flag", "flag", "flag2", "count")
place = of("x", "x", "y", "b")
pte = of("old", "new", "inv", "third", "ro", "private", "cold", "cont x")
change = one_of(
    st.tuples(of("pte x"), pte),
    st.tuples(of("pte y"), of("new", "inv", "cont y")),
    st.tuples(of("pblock"), of("spare", "inv", "old")),
    st.tuples(of("ptable"), of("inv", "spare", "ptes", "old")),
    st.tuples(of("ptop"), of("inv", "root")),
)
tlbi = invalidations(("page x", "page b"))
barrier = barriers()
load = make("ldr", one_of(word, place))
access = accesses(("flag", "flag", "flag2", "count"), ("x", "x", "y", "b"), change)
register = one_of(
    make(
        "msr",
        of("ttbr"),
        of("away", "here", "here alone", "here as 2", "away as 2", "away in common"),
    ),
    make("nop daifset daifclr sev sevl wfe"),
)
ipi = make("msr", of("icc_sgi1r_el1"), of("all others", "all others", "cpu0", "cpu1"))
step = one_of(access, barrier, tlbi, register)
flag = of("flag", "flag", "flag", "flag2")
awaiting = one_of(
    make("await", flag, of(1)),
    make("until", of(1), flag.map(lambda name: (("ldr", name),))),
    make("doze", flag, of(1)),
)
AWAITING = ("await", "until", "doze")
telling = make("str stlr", flag, of(1))
TICKET = ("ticket", "count", "turn")
EVERYBODY = "everybody"
"""In place of the number of CPUs."""
DSB, ISB = ("dsb", "ish"), ("isb",)
FLUSH: Steps = (("tlbi", "vmalle1is"), DSB)
LEAVE: Steps = (("msr", "ttbr", "away"), ISB, ("tlbi", "vmalle1"), ("dsb", "nsh"), ISB)


steps = st.lists(step, min_size=1, max_size=3).map(tuple)
flush = one_of(of(FLUSH), st.tuples(tlbi, of(DSB)))
inner = one_of(
    st.lists(step, min_size=1, max_size=2).map(tuple),
    flush,
    one_of(telling, awaiting).map(lambda one: (one,)),
)
"""What is done inside of something else."""


@st.composite
def changed_live(draw: st.DrawFn) -> Steps:
    """A descriptor changes, by break-before-make or while it is live."""
    slot, value = draw(change)
    middle = (("str", slot, "inv"), DSB, draw(tlbi), DSB) if draw(st.booleans()) else ()
    end = () if middle else (draw(tlbi), DSB)
    return (*middle, (draw(of("str", "str", "replace")), slot, value), DSB, *end)


@st.composite
def park(draw: st.DrawFn) -> Steps:
    """Leave the live map, forget it, wait somewhere else, and perhaps come back."""
    steps: Steps = LEAVE
    if draw(st.booleans()):
        steps += (draw(one_of(telling, of(("ldaddal", "count", 1), ("add", "count")))),)
    steps += (draw(one_of(awaiting, awaiting, load, of(("wfe",), TICKET))),)
    if draw(st.booleans()):
        steps += (("msr", "ttbr", draw(of("here", "here alone"))), ISB)
    return steps


@st.composite
def meet(draw: st.DrawFn) -> Steps:
    """A rendezvous: count in, and wait for everybody."""
    count = draw(of(("ldaddal", "count", 1), ("add", "count")))
    return count, ("await", "count", EVERYBODY)


@st.composite
def exclude(draw: st.DrawFn) -> Steps:
    """A lock or a ticket around something."""
    inside = draw(inner)
    if draw(st.booleans()):
        return TICKET, *inside, ("pass", "turn")
    return ("lock", "turn"), *inside, ("stlr", "turn", 0)


@st.composite
def first(draw: st.DrawFn) -> Steps:
    """Who comes first does something else than the others."""
    taken = draw(of(("ldaddal", "count", 1), ("ldaddal", "count", 1), ("ldr", "flag")))
    return taken, ("if", draw(of(0, 1)), draw(inner), draw(inner))


@st.composite
def look(draw: st.DrawFn) -> Steps:
    """Loads, and a panic for what they might give."""
    one = make("ldr", one_of(flag, word, place))
    loads = draw(st.lists(one, min_size=1, max_size=2))
    values = [draw(of(*((1, 0) if at in WORDS else (8, 9, 1, None)))) for _, at in loads]
    wanted = enumerate(reversed(values), 1)
    return *loads, ("panic_if", *wanted)


fragment = one_of(
    steps,
    changed_live(),
    park(),
    look(),
    meet(),
    exclude(),
    first(),
    flush,
    telling.map(lambda one: (one,)),
    awaiting.map(lambda one: (one,)),
    steps.map(lambda inner: (("call", inner),)),
)
