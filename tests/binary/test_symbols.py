"""Symbols out of kallsyms in both encodings, .symtab and System.map; offsets out of BTF."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simbbm.binary.formats.btf import Btf, btf_of
from simbbm.binary.formats.elf import Symbol
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.kallsyms import kallsyms
from simbbm.binary.formats.symbols import Symbols, plain, symbols_of
from simbbm.core.errors import UsageError
from tests.binary.images import BASE, NOP, RET, Builder, btf, elf


def built(count: int = 0) -> Builder:
    image = Builder()
    image.code("split_pmd", NOP, NOP, NOP, RET)
    image.code("x" * 300, RET)
    for number in range(count):
        image.code(f"function_{number}", RET)
    image.put("_end", b"")
    return image


@pytest.mark.parametrize("relative_to_place", [True, False])
@pytest.mark.parametrize("count", [0, 250, 251, 252, 600])
def test_kallsyms_has_every_symbol(relative_to_place: bool, count: int) -> None:
    image = built(count)
    wanted = sorted(image.symbols.items(), key=lambda symbol: symbol[1])
    image.kallsyms(relative_to_place=relative_to_place)

    assert wanted == kallsyms(Image("x", image.image()))


def test_without_kallsyms_there_are_no_symbols() -> None:
    image = Image("x", built().image())

    assert kallsyms(image) is None
    with pytest.raises(UsageError, match="it has no symbols"):
        symbols_of(image)


def test_kallsyms_that_do_not_fit_the_image_are_refused() -> None:
    image = built()
    image.symbols["_text"] += 4
    image.kallsyms()

    with pytest.raises(UsageError, match="do not begin with _text"):
        kallsyms(Image("x", image.image()))


@pytest.mark.parametrize("relative_to_place", [True, False])
def test_kallsyms_that_are_damaged_end_in_a_line(relative_to_place: bool) -> None:
    image = built(300)
    image.kallsyms(relative_to_place=relative_to_place)
    whole, right = image.image(), dict(image.symbols)
    start = len(whole) - 8_000
    draw, refused = random.Random(2), 0
    for _ in range(100):
        spoilt = bytearray(whole)
        for _ in range(3):
            spoilt[draw.randrange(start, len(whole))] = draw.randrange(256)
        try:
            found = kallsyms(Image("x", bytes(spoilt)))
        except UsageError:
            found = None
        refused += found is None
        assert found is None or len(found) == len(right)
    assert refused > 10


def test_names_sizes_and_places() -> None:
    image = built()
    image.symbols["__pi_split_pmd"] = image.symbols["split_pmd"]
    image.kallsyms()
    symbols = symbols_of(Image("x", image.image()))
    at = symbols.address("split_pmd")

    assert symbols.source == "kallsyms"
    assert symbols.size("split_pmd") == 16
    assert symbols.told(at + 8) == "split_pmd+0x8"
    assert symbols.told(at) == "split_pmd"
    assert symbols.told(5) == "0x5"
    assert symbols.find("nothing", "split_pmd") == at
    assert symbols.find("nothing") is None
    assert [(s.name, s.size) for s in symbols.named("split_p[mu]d")] == [("split_pmd", 16)]
    with pytest.raises(UsageError, match="the kernel has no symbol split_pud"):
        symbols.address("split_pud")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("split_pmd", "split_pmd"),
        ("split_pmd.isra.0", "split_pmd"),
        ("split_pmd.constprop.0.isra.0", "split_pmd"),
        ("split_pmd.llvm.1234567890", "split_pmd"),
        ("split_pmd.__uniq.99.llvm.12", "split_pmd"),
        ("split_pmd.cold", "split_pmd"),
        ("list.1", "list"),
        ("memcpy.S", "memcpy.S"),
    ],
)
def test_what_compilers_put_behind_names(name: str, short: str) -> None:
    assert plain(name) == short


def test_a_name_with_a_suffix_is_found_if_it_is_the_only_one() -> None:
    names = ("f.llvm.12", "f.cold", "g.isra.0", "g.isra.1", "h", "h.constprop.0")
    symbols = Symbols([Symbol(name, BASE + 16 * n, 16) for n, name in enumerate(names)], "here")

    assert symbols.find("f") == symbols.address("f") == BASE
    assert symbols.find("g") is None, "which one is not known"
    assert symbols.find("h") == BASE + 64
    with pytest.raises(UsageError, match="no symbol g"):
        symbols.address("g")


def test_marks_of_code_and_data_are_no_symbols() -> None:
    file = elf([(BASE, built().image())], {"f": (BASE + 64, 32), "$d.1": (BASE + 72, 0)})
    symbols = symbols_of(Image("x", file))

    assert symbols.told(BASE + 76) == "f+0xc"


def test_a_system_map_is_taken_for_its_image_alone(tmp_path: Path) -> None:
    file = tmp_path / "System.map"
    image = Image("x", built().image())
    file.write_text(f"{BASE:016x} T _text\n{BASE + 0x40:016x} t f\n                 U none\n")

    symbols = symbols_of(image, file)

    assert (symbols.source, symbols.address("f"), len(symbols)) == ("System.map", BASE + 0x40, 2)
    file.write_text("ffffffff81000000 T _text\n")
    with pytest.raises(UsageError, match="of this image: _text is not"):
        symbols_of(image, file)


def test_symtab_comes_before_kallsyms() -> None:
    image = built()
    image.kallsyms()
    file = elf([(BASE, image.image())], {"other": (BASE + 8, 4)})

    symbols = symbols_of(Image("x", file))

    assert (symbols.source, len(symbols)) == (".symtab", 1)


STRUCTS = {
    "thread_info": (16, {"flags": 0, "cpu": 8}),
    "#1": (8, {"low": 0, "high": 4}),
    "task_struct": (64, {"thread_info:thread_info": 0, "state": 16, ":#1": 24}),
}


def test_members_of_structures_and_of_those_within_them() -> None:
    types = Btf(btf(STRUCTS))

    assert types.offset("task_struct", "thread_info.cpu") == 8
    assert types.offset("task_struct", "state") == 16
    assert types.offset("task_struct", "high") == 28
    assert (types.size("task_struct"), len(types)) == (64, 4)
    assert types.has("thread_info")
    assert not types.has_member("task_struct", "state.cpu")
    with pytest.raises(UsageError, match=r"struct task_struct has no thread_info\.pid"):
        types.offset("task_struct", "thread_info.pid")
    with pytest.raises(UsageError, match="no struct mm_struct"):
        types.offset("mm_struct", "pgd")


def test_btf_is_found_by_its_symbol() -> None:
    image = built()
    without = Image("x", image.image())
    assert btf_of(without, Symbols([], "none")) is None

    image.btf(STRUCTS)
    image.kallsyms()
    whole = Image("x", image.image())
    found = btf_of(whole, symbols_of(whole))

    assert found is not None
    assert found.offset("task_struct", "low") == 24


def test_btf_that_is_damaged_ends_in_a_line() -> None:
    draw, right = random.Random(3), btf(STRUCTS)
    refused = 0
    for number in range(300):
        spoilt = bytearray(right[: len(right) - draw.randrange(30) * (number % 2)])
        spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
        try:
            Btf(bytes(spoilt)).offset("task_struct", "thread_info.cpu")
        except UsageError:
            refused += 1
    assert refused > 30
