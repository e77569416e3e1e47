"""Strategies for what scenarios are made of: features, layouts, small programs, interference.

What is drawn first is the plainest, so that Hypothesis shrinks towards it. Steps are data for the
interpreter `interpreter.program`: a method of the `cpu` handle, and its operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.features import Features
from simbbm.hypothesis.interpreter import Step, Steps

LARGE = ("pmd", "contpmd", "pud")
"""Parts of a linear map that hold all its tables, with which one has to begin."""
OTHERS = ("pages", "contpte", *LARGE, "far", "invalid", "hole", "text")
ASIDS = (1, 2)


def of(*values: Any) -> st.SearchStrategy[Any]:
    """One of some values; twice is more often."""
    return st.sampled_from(values)


def sometimes(one_in: int) -> st.SearchStrategy[bool]:
    """False, but for one in so many times."""
    return st.sampled_from((False,) * (one_in - 1) + (True,))


def one_of(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of them, each as often as it is named (`st.one_of` would count it once)."""
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)


def step(names: str, *operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """A step of one of these names, separated by spaces."""
    return st.tuples(of(*names.split()), *operands)


def features() -> st.SearchStrategy[Features]:
    """What a CPU implements: a value for a parameter `cpu1`, or for `CpuSetup.features`."""
    return st.builds(
        Features,
        bbm=of(0, 0, 0, 1, 2, 3),
        noabort=sometimes(6),
        ets2=sometimes(4),
        conflict=of("abort", "abort", "either", "amalgam"),
        tlb=st.just(0),
        errata=of(*((),) * 9, ("4118414",), ("4193714",), ("3683289",)),
        hardware_af=sometimes(8),
        hardware_dirty=sometimes(8),
        ntlbpa=sometimes(8).map(lambda keeps: not keeps),
    )


def layouts(*, most: int = 3) -> st.SearchStrategy[str]:
    """Layouts of the linear map of at most so many parts: values for a parameter `layout`."""
    rest = st.lists(of(*OTHERS), max_size=most - 1).filter(lambda parts: parts.count("text") < 2)
    return st.builds(lambda first, rest: "+".join([first, *rest]), of(*LARGE), rest)


def barriers() -> st.SearchStrategy[Step]:
    """DSB, ISB and DMB."""
    return one_of(
        step("dsb", of("ish", "nsh", "ishst", "ishld")),
        step("isb"),
        step("dmb", of("ish", "ishst", "ishld")),
    )


def invalidations(pages: Sequence[Any], asids: Sequence[int] = ASIDS) -> st.SearchStrategy[Step]:
    """TLBIs: of everything, of some pages, of some address spaces; local and broadcast."""
    page = of(*pages)
    everything = step("tlbi", of("vmalle1is", "vmalle1"))
    by_page = (
        step("tlbi", of("vaae1is", "vaale1is", "vaae1"), page),
        step("tlbi", of("vae1is", "vale1"), page, of(*asids)),
        step("tlbi", of("rvaae1is", "rvaale1is", "rvaae1"), page, of(None), of(2, 4), of(0, 2, 3)),
        step("tlbi", of("vaae1is", "vaale1is"), page, of(None), of(None), of(2, 3)),
    )
    by_asid = step("tlbi", of("aside1is"), of(None), of(*asids))
    return one_of(everything, *(by_page if pages else ()), by_asid)


def accesses(
    words: Sequence[Any],
    places: Sequence[Any] = (),
    changes: st.SearchStrategy[tuple[Any, Any]] | None = None,
) -> st.SearchStrategy[Step]:
    """Loads, stores, atomics and exclusives.

    `words` are flags and counters, `places` words whose mapping may change, `changes` draw the
    address of a descriptor and what is stored there.
    """
    word, place = of(*words), of(*(places or words))
    return one_of(
        step("ldr", of(*words, *places)),
        step("str", word, of(1, 2)),
        step("str", place, of(1)),
        step("stlr", word, of(1, 2)),
        step("ldar ldapr", word),
        step("ldaddal", word, of(1)),
        step("ldxr", word),
        step("stxr stlxr", word, of(1)),
        *([] if changes is None else [stored(changes)]),
    )


def stored(changes: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[Step]:
    """Stores of descriptors: pending for a while, or by exclusives, which reach memory at once."""
    return st.tuples(of("str", "str", "replace"), changes).map(lambda how: (how[0], *how[1]))


def programs(
    words: Sequence[int],
    pages: Sequence[int] = (),
    *,
    places: Sequence[int] = (),
    descriptors: Sequence[tuple[int, Descriptor]] = (),
    most: int = 4,
) -> st.SearchStrategy[Steps]:
    """Small programs of at most so many steps, as arguments of `program`.

    They load and store `words`; load `places`, and store there too; invalidate `pages`; and store
    `descriptors`, pairs of an address and what a table may hold there.
    """
    changed = of(*descriptors) if descriptors else None
    one = one_of(accesses(words, places, changed), barriers(), invalidations(pages), quiet())
    return st.lists(one, min_size=1, max_size=most).map(tuple)


def quiet() -> st.SearchStrategy[Step]:
    """Steps that touch nothing: NOP, events, PSTATE."""
    return step("nop sev sevl daifset daifclr")


def interference(
    words: Sequence[int] = (), pages: Sequence[int] = (), *, most: int = 3
) -> st.SearchStrategy[Steps]:
    """What somebody else may do whom no protocol can forbid it, as arguments of `program`.

    It loads `words`, waits for nothing, writes nothing, invalidates more than is needed (of
    `pages`, or everything), and wakes those who sleep. So what holds alone has to hold beside it.
    """
    loads = [step("ldr ldar ldxr", of(*words))] if words else []
    one = one_of(*loads, barriers(), invalidations(pages), quiet())
    return st.lists(one, max_size=most).map(tuple)
