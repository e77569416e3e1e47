"""Names have places of their own, and tables say what a test says they say."""

from __future__ import annotations

import pytest

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.geometry import LEAF_LEVEL
from simbbm.arm64.registers import Ttbr
from simbbm.arm64.translation.translate import FETCH, READ, WRITE, permitted
from simbbm.litmus.layout import Layout
from simbbm.litmus.notation.syntax import Base, Entry, Location, Physical
from simbbm.litmus.setup import Options, listing, setup
from tests.litmus.rows import made

LD = ["r1 = ld x"]


def descriptor(layout: Layout, location: Location) -> Descriptor:
    """A descriptor as it is at the start."""
    address = layout.entry(location)
    table = layout.geometry.table(address)
    return layout.tables()[table][address - table]


def test_everything_has_a_place_of_its_own() -> None:
    names = [f"v{i}" for i in range(20)]
    layout = Layout(
        made(
            [f"r1 = ld {name}" for name in names],
            map={name: f"leaf(pa{i})" for i, name in enumerate(names)} | {"v0@t": "leaf(pa1)"},
        )
    )
    pages = [layout.page(Location(name)) for name in names]
    outputs = [layout.output(f"pa{i}") for i in range(20)]
    entries = [
        layout.entry(Location(name, 0, level)) for name in names for level in (2, LEAF_LEVEL)
    ]

    for places in (pages, outputs, entries):
        assert len(set(places)) == len(places)
    assert layout.page_of_entry() not in pages
    assert not set(outputs) & set(pages)
    assert not {entry // 4096 for entry in entries} & set(outputs)
    assert len(layout.symbols()) >= len(pages + outputs + entries)


def test_walks_start_no_higher_than_needed() -> None:
    assert Layout(made(LD)).start == 2
    assert Layout(made(["st pte(x,L1) = INV", *LD])).start == 1
    assert Layout(made(LD, condition="pte(x,L0)=INV")).start == 0
    assert Layout(made(LD, map={"x": "INV", "x@L1": "INV"})).start == 1


def test_what_nobody_mentions_is_not_built() -> None:
    layout = Layout(made(LD, map={"x": "leaf(pa1)", "y": "leaf(pa2)"}))

    assert layout.variables == ["x"]


def test_descriptors_start_as_the_map_says() -> None:
    layout = Layout(
        made(
            ["r1 = ld x", "r2 = ld y", "r3 = ld z"],
            map={
                "x": "leaf(pa1)",
                "x+0x1000": "leaf(pa2+0x1000,cont)",
                "y": "INV(pa2)#3",
                "z@L2": "leaf(pa3)",
                "x@t": "leaf(pa3,af=0)",
            },
        )
    )
    x, y = Location("x", 0, LEAF_LEVEL), Location("y", 0, LEAF_LEVEL)
    above = descriptor(layout, Location("x", 0, 2))
    of_t = descriptor(layout, Location("x", 0, LEAF_LEVEL, "t"))

    assert descriptor(layout, x).output == layout.output("pa1")
    assert descriptor(layout, x).not_global
    assert descriptor(layout, x._replace(offset=4096)).contiguous
    assert descriptor(layout, x._replace(offset=4096)).output == layout.output("pa2") + 1
    assert descriptor(layout, y) == Descriptor(output=layout.output("pa2"), software=3)
    assert above.kind == "table"
    assert above.output == layout.geometry.table(layout.entry(x))
    assert descriptor(layout, Location("z", 0, 2)).kind == "leaf"
    assert (of_t.output, of_t.access_flag) == (layout.output("pa3"), False)


def test_a_second_tree_shares_what_it_does_not_map_anew() -> None:
    layout = Layout(
        made(["r1 = ld x", "r2 = ld y"], map={"x": "INV", "y": "INV", "x@t": "INV"}),
    )
    x, y = (
        [descriptor(layout, Location("x", 0, 2, tree)) for tree in ("", "t")],
        layout.tables()[layout.table("t", 2, "")][layout.page(Location("y")) // layout.span],
    )

    assert x[0] != x[1]
    assert y == descriptor(layout, Location("y", 0, 2))
    assert layout.constant(Base("t", 3)) == Ttbr(layout.table("t", 2, ""), 3)
    assert layout.constant(Entry("table", "t"), Location("x", 0, 2)) == x[1]
    assert layout.constant(Entry("table", "t")) == x[1]


@pytest.mark.parametrize(
    ("flag", "at_el0", "at_el1"),
    [("", "rw", "rw"), ("ro", "r", "r"), ("el1rw", "", "rw"), ("el1ro", "", "r")],
)
def test_permissions(flag: str, at_el0: str, at_el1: str) -> None:
    layout = Layout(made(LD))
    found = layout.constant(Entry("leaf", "pa1", (flag,) if flag else ()))
    assert isinstance(found, Descriptor)

    for el, allowed in ((0, at_el0), (1, at_el1)):
        assert permitted(found.attributes, READ, el) == ("r" in allowed)
        assert permitted(found.attributes, WRITE, el) == ("w" in allowed)
        assert not permitted(found.attributes, FETCH, el)


def test_offsets_are_words_of_the_page() -> None:
    layout = Layout(made(["r1 = ld x+8", "r2 = ld x+0x1008"], mem={"pa1+8": 5}))

    assert layout.place(Location("x", 8)).address == layout.place(Location("x")).address + 8
    assert layout.page(Location("x", 0x1008)) == layout.page(Location("x")) + 1
    assert layout.word(Physical("pa1", 8)) == layout.output("pa1") * 4096 + 8


def test_roots() -> None:
    ttbrs = ["ttbr(root=table0,asid=1)", "ttbr(root=table1,asid=2)"]
    first = Layout(made(LD, LD, ttbr0=ttbrs, map={"x": "INV", "x@table1": "leaf(pa1)"}))
    both = Layout(made(LD, LD, ttbr0=ttbrs, map={"x@table0": "INV", "x@table1": "leaf(pa1)"}))
    alike = Layout(made(LD, LD, ttbr0=ttbrs, map={"x": "INV"}))

    assert first.trees == ["table0", "table1"]
    assert both.trees == ["page_table_base", "table0", "table1"]
    assert alike.trees == ["table0", "table1"]
    assert len({alike.table(tree, 2, "") for tree in alike.trees}) == 2


def test_each_thread_has_its_own_registers() -> None:
    test = made(LD, LD, ttbr0=[None, "ttbr(root=page_table_base,asid=7)"], el=[0, 1])
    cpus = setup(test, Layout(test), Options(ets2=True)).cpus

    assert [cpu.regime.ttbr0[0].asid for cpu in cpus] == [0, 7]
    assert [cpu.el for cpu in cpus] == [0, 1]
    assert all(cpu.features.ets2 and not cpu.regime.tcr[0].a1 for cpu in cpus)


def operations(*texts: str) -> list[str]:
    """What is left of a thread's operations."""
    test = made([*texts], condition="0:r1=0")
    return [i.op for i in listing(test.threads[0], Layout(test)).instructions]


def test_an_eret_goes_to_the_label_behind_it() -> None:
    assert operations("r1 = ld x", "eret", "isb", "label A", "st x = 1", "eret", "label B") == [
        "ld",
        "eret",
        "st",
        "eret",
    ]
    assert operations("r1 = ld x", "eret", "st x = 1") == ["ld", "eret", "st"]


def test_operations_keep_their_places() -> None:
    test = made(["label A", "r1 = ld x", "eret", "isb", "label B", "st x = 1"])
    found = listing(test.threads[0], Layout(test)).instructions

    assert [i.number for i in found] == [1, 2, 5]


def test_a_handler_ends_with_its_eret() -> None:
    test = made(LD, on_fault={"P0": {"fault": ["isb", "eret", "r1 = 1"]}})
    handler = listing(test.threads[0], Layout(test)).fault

    assert handler is not None
    assert [i.op for i in handler] == ["isb"]


def test_a_tlbi_without_asid_means_the_one_in_ttbr0() -> None:
    test = made(
        [
            "tlbi vae1 x",
            "msr ttbr0 = ttbr(root=page_table_base,asid=4)",
            "tlbi vale1is x",
            "tlbi vae1 x asid=9",
            "tlbi vaae1 x",
            "tlbi vae1is &pte(x)",
            *LD,
        ],
        ttbr0=["ttbr(root=page_table_base,asid=3)"],
    )
    layout = Layout(test)
    found = [i.tlbi for i in listing(test.threads[0], layout).instructions if i.tlbi]

    assert [tlbi.asid for tlbi in found] == [3, 4, 9, None, 4]
    assert [tlbi.broadcast for tlbi in found] == [False, True, False, False, True]
    assert [tlbi.page == layout.page(Location("x")) for tlbi in found] == [*[True] * 4, False]
