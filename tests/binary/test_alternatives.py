"""Which words a machine runs that has some capabilities; lists of CPUs."""

from __future__ import annotations

from struct import pack

import pytest

from simbbm.binary.features.alternatives import CALLBACK, Alternatives
from simbbm.binary.features.capabilities import Capabilities, capabilities
from simbbm.binary.features.midr import MidrRange, allow_list
from simbbm.binary.formats.btf import Btf
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import Symbols, symbols_of
from simbbm.core.errors import UsageError
from tests.binary.images import CAPABILITIES, NOP, RET, Builder, btf

ROWS = {
    1: "",
    7: "LSE atomic instructions",
    9: "TLB range maintenance instructions",
    12: "Qualcomm erratum 1009, or ARM erratum 1286807, 2441009",
    15: "Something new",
    16: "",
}
ADRP = 0x90000000
ISB = 0xD5033FDF


def kernel() -> tuple[Builder, Image, Symbols]:
    built = Builder()
    text = built.code("f", NOP, NOP, NOP, NOP, NOP, NOP, NOP, RET)
    nops = built.code("alt_cb_patch_nops", RET)
    other = built.code("kvm_update_va_mask", RET)
    far = built.put("far", bytes(0x2000), 4096)
    back = (text - far >> 2) & 0x3FFFFFF
    new = built.code("new", 0x14000000 | back, ISB, 0x14000001, ADRP | 1 << 29)
    built.alternatives(
        (text, new, 7, 16, 16),
        (text + 16, nops, 7 | CALLBACK, 4, 0),
        (text + 20, other, 1 | CALLBACK, 4, 0),
        (text + 24, new + 4, 9, 4, 4),
    )
    built.capabilities(ROWS)
    built.put("supports_bbml2_noabort_list.3", pack("<9I", *MIDRS))
    built.kallsyms()
    image = Image("x", built.image())
    return built, image, symbols_of(image)


MIDRS = (0x410FD820, 3, 0xF, 0x990F1230, 0, 0xF0000F, 0, 0, 0)


def test_a_machine_runs_what_its_capabilities_bring() -> None:
    built, image, symbols = kernel()
    at = built.symbols
    text = at["f"]

    patches = Alternatives(image, symbols).patches(frozenset({1, 7}))

    assert patches[text + 4] == ISB
    assert patches[text + 8] == 0x14000001, "a branch within the replacement"
    assert patches[text + 16] == NOP
    assert patches[text + 20] is None, "a function of the kernel writes it"
    assert text + 24 not in patches
    # B to `f - far` words away from `new` reaches the same place from `f`.
    reached = at["new"] + 4 * ((at["f"] - at["far"]) // 4)
    offset = (patches[text] or 0) & 0x3FFFFFF
    assert text + 4 * (offset - (1 << 26) if offset >> 25 else offset) == reached
    # ADRP of the next page: the pages between the two places are added.
    word = patches[text + 12] or 0
    pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    assert (text + 12 >> 12) + pages == (at["new"] + 12 >> 12) + 1


def test_entries_of_a_function() -> None:
    built, image, symbols = kernel()
    found = Alternatives(image, symbols)
    start = built.symbols["f"]

    assert [entry.capability for entry in found.within(start, start + 32)] == [7, 7, 1, 9]
    assert [] == found.within(start + 28, start + 32)
    assert [] == Alternatives(image, Symbols([], "none")).all


@pytest.fixture
def known() -> Capabilities:
    _, image, symbols = kernel()
    return capabilities(image, symbols, Btf(btf({"arm64_cpu_capabilities": CAPABILITIES})))


def test_capabilities_are_known_by_name(known: Capabilities) -> None:
    assert [known.name(n) for n in (0, 1, 7, 12, 15, 16, 99)] == [
        *("ALWAYS", "ALWAYS", "LSE", "REPEAT_TLBI", "Something new", "#16", "#99")
    ]
    assert known.numbers(["lse", "something new", "#16"]) == {0, 1, 7, 15, 16}


def test_an_unknown_capability_is_refused(known: Capabilities) -> None:
    with pytest.raises(UsageError, match="no capability LSF") as refused:
        known.numbers(["LSF"])
    assert refused.value.hint == "did you mean LSE?"


def test_cpus_that_may_change_live_blocks() -> None:
    _, image, symbols = kernel()
    found = allow_list(image, symbols)

    assert found is not None
    name, rows = found
    assert name == "supports_bbml2_noabort_list.3"
    assert [(row.model, row.revisions) for row in rows] == [
        ("Cortex-X4", "r0p3 to r0p15"),
        ("implementer 0x99 part 0x123", "all"),
    ]
    assert allow_list(image, Symbols([], "none")) is None


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0x100001, 0xF0000F, "from r1p1"), (2, 2, "r0p2"), (0, 0x100000, "r0p0 to r1p0")],
)
def test_revisions(low: int, high: int, told: str) -> None:
    assert MidrRange(0x410FD820, low, high).revisions == told
