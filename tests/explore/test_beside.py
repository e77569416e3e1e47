"""Kernels of our own beside the model: what agrees, what is explained, what is not."""

from __future__ import annotations

import pytest

from simbbm import discovery
from simbbm.binary.formats.image import Image
from simbbm.binary.kernel import Kernel
from simbbm.explore.beside import compare as comparing
from simbbm.explore.beside.align import Pair, aligned
from simbbm.explore.beside.compare import Comparison, compare
from simbbm.explore.beside.explained import EXPLAINED, why
from simbbm.explore.beside.operations import FEWER_BITS, MORE_BITS, SAME_SIZE, Step, folded
from simbbm.scenario import Scenario
from tests.binary.kernels import LIKE_THE_MODEL, small_kernel


@pytest.fixture(scope="module")
def good() -> Scenario:
    return discovery.find("linear_map_split::good")


def compared(good: Scenario, function: str = "", old: str = "", new: str = "") -> list[Comparison]:
    """The kernel that does what the model does, with one function changed."""
    functions = dict(LIKE_THE_MODEL)
    if function:
        assert old in functions[function]
        functions[function] = functions[function].replace(old, new, 1)
    return compare(Kernel(Image("small", small_kernel(extra=functions).image())), good)


def wrong(found: list[Comparison]) -> list[tuple[str, str]]:
    """Which side has a step that the other one has not, and the step."""
    return [
        ("both", f"{pair.left}, {pair.right}")
        if pair.left and pair.right
        else ("image", str(pair.left))
        if pair.left
        else ("model", str(pair.right))
        for one in found
        for pair in one.unexplained
    ]


def test_one_that_does_what_the_model_does_agrees(good: Scenario) -> None:
    boot, secondary = compared(good)

    assert (boot.agrees, secondary.agrees) == (True, True)
    assert [str(s.pair.left) for s in boot.steps if s.why] == ["ldr __num_online_cpus"] * 2
    assert [str(s.pair.right) for s in secondary.steps if s.why] == ["ldr stack"]
    assert boot.steps[0].pair.left == Step("linear_map_split_to_ptes+0x54", "ldar", "flag")


@pytest.mark.parametrize(
    ("function", "change", "differs"),
    [
        ("split_pmd", ("dsb ishst", "nop"), ("model", "dsb ishst")),
        ("split_pmd", ("dsb ishst", "dmb ish"), ("image", "dmb ish")),
        ("split_pmd", ("ldr x2, [x3]", "nop"), ("both", "ldr tables x3, ldr tables x4")),
        ("split_pmd", ("#512", "#511"), ("both", "str tables x511, str tables x512")),
        ("flush_tlb_kernel_range", ("vmalle1is", "vmalle1"), ("image", "tlbi vmalle1")),
        ("linear_map_split_to_ptes", ("sevl", "nop"), ("model", "sevl")),
        ("linear_map_split_to_ptes", ("ldar w2, [x3]", "ldr w2, [x3]"), ("image", "ldr flag")),
        ("linear_map_split_to_ptes", ("w5, #0", "w5, #1"), ("both", "str flag, 1, str flag, 0")),
        ("linear_map_split_to_ptes", ("x3, swapper", "x3, idmap"), None),
        ("scondary_cpu_wait", ("w0, w0, #1", "w0, w0, #2"), ("both", "stxr flag, 3, stxr flag, 2")),
        ("wait_linear_map_split_to_ptes", ("isb", "nop"), ("model", "isb")),
        ("cpu_uninstall_idmap", ("ttbr0_el1, x4", "ttbr0_el1, x5"), None),
        ("linear_map_split_to_ptes", ("sub x8, x8, x9", "nop"), ("model", "br")),
    ],
)
def test_a_change_is_not_explained(
    good: Scenario, function: str, change: tuple[str, str], differs: tuple[str, str] | None
) -> None:
    found = compared(good, function, *change)

    assert not all(one.agrees for one in found)
    if differs:
        assert differs in wrong(found)


def test_a_block_that_becomes_something_else_is_a_finding(good: Scenario) -> None:
    boot, secondary = compared(good, "split_pmd", "#4096", "#8192")

    assert not boot.unexplained
    assert boot.finding == "the block became 512 entries, of which 1 is leaf(0x40002)"
    assert secondary.agrees


def test_what_cannot_be_executed_ends_the_comparison(good: Scenario) -> None:
    boot, _ = compared(good, "split_pmd", "dsb ishst", "brk #0x800")

    assert boot.finding == "small: split_pmd+0x50: brk #0x800"
    assert not boot.agrees
    assert str(boot.steps[-1].pair.left) == "str tables x512", "the last step before it"
    assert not boot.unexplained, "what the model does behind it says nothing"


def test_a_wait_without_end_is_a_finding(good: Scenario) -> None:
    _, secondary = compared(good, "scondary_cpu_wait", "wfe", "nop")

    assert secondary.finding.startswith("scondary_cpu_wait+0x18: it goes on after 500 steps")
    assert not secondary.agrees


def test_no_explanation_is_there_for_nothing(
    good: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "why", lambda pair, _: why(pair, ()) and None)

    assert not any(one.agrees for one in compared(good))


def test_what_needs_a_capability_is_explained_with_it_alone() -> None:
    first = next(row for row in EXPLAINED if row.needs == "REPEAT_TLBI")
    pair = Pair(Step("f", first.operation, first.what), None)

    assert why(pair, ["REPEAT_TLBI"]) == first.why
    assert why(pair, ["LSE"]) is None
    assert why(Pair(None, pair.left), ["REPEAT_TLBI"]) is None


@pytest.mark.parametrize(
    ("value", "features", "known"),
    [
        (FEWER_BITS, ["VA52"], True),
        (FEWER_BITS, [], False),
        (MORE_BITS, ["VA52"], True),
        (SAME_SIZE, ["VA52"], False),
    ],
)
def test_a_value_is_explained_or_not(value: str, features: list[str], known: bool) -> None:
    """The model's idmap has more bits: with 52 the image's has fewer."""
    pair = Pair(*(Step("f", "msr tcr_el1", "", v) for v in (value, MORE_BITS)))

    assert (why(pair, features) is not None) == known
    assert (why(pair, features) == "") == (value == MORE_BITS)


def test_without_lse_an_atomic_has_a_barrier() -> None:
    pair = Pair(Step("f", "dmb ish", ""), None)

    assert why(pair, []) is not None
    assert why(pair, ["LSE"]) is None


def test_of_two_steps_the_one_with_the_same_value_is_meant() -> None:
    writes = [Step("f", "msr ttbr0_el1", "", value) for value in ("a", "b", "c")]

    assert aligned(writes, writes[1:]) == [
        *(Pair(writes[0], None), Pair(writes[1], writes[1]), Pair(writes[2], writes[2]))
    ]


def test_sequences_are_laid_side_by_side() -> None:
    left, right = (
        [Step(side, name, "") for name in names] for side, names in (("l", "abcd"), ("r", "acxd"))
    )

    assert [(a and a.operation, b and b.operation) for a, b in aligned(left, right)] == [
        *(("a", "a"), ("b", None), ("c", "c"), (None, "x"), ("d", "d"))
    ]
    assert aligned([], right[:1]) == [Pair(None, right[0])]


def test_neighbouring_accesses_to_tables_are_one_step() -> None:
    one, flag = Step("a", "ldr", "tables"), Step("b", "ldr", "flag")

    assert [str(step) for step in folded([one, one, flag, flag, one])] == [
        *("ldr tables x2", "ldr flag", "ldr flag", "ldr tables")
    ]
