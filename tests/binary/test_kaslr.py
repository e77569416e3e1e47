"""An image that KASLR has moved does the same at other addresses."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack, unpack

import pytest

from simbbm.binary.formats.image import Image
from simbbm.binary.formats.kaslr import NOWHERE, Kaslr, moved
from simbbm.binary.formats.symbols import symbols_of
from simbbm.binary.kernel import Kernel
from simbbm.binary.trace import trace
from simbbm.core.errors import UsageError
from tests.binary.images import BASE, RET, Builder
from tests.binary.kernels import LIKE_THE_MODEL, small_kernel

FAR = Kaslr(0x2A_1234_0000, 0x21_0000)
WORDS = 130


def table(start: int, places: Iterable[int]) -> tuple[int, ...]:
    """.relr.dyn for words from `start` on: the first, and bitmaps of 63 words each."""
    chosen = {*places}
    assert 0 in chosen
    bitmaps = [
        1 | sum(1 << bit + 1 for bit in range(63) if 1 + 63 * n + bit in chosen) for n in range(3)
    ]
    return (start, *bitmaps)


@pytest.fixture
def built() -> Builder:
    image = Builder()
    image.put("words", pack(f"<{WORDS}Q", *(BASE + n for n in range(WORDS))))
    image.code("f", RET)
    return image


def finished(image: Builder) -> Image:
    image.put("_end", b"")
    image.kallsyms()
    return Image("x", image.image())


def test_words_that_the_tables_name_are_moved_and_no_other(built: Builder) -> None:
    at = built.symbols["words"]
    packed = (0, 1, 5, 63, 64, 100)
    built.relocations(at + 8 * 2, at + 8 * 110, packed=table(at, packed))
    image = finished(built)

    other, symbols = moved(image, symbols_of(image), FAR)

    words = unpack(f"<{WORDS}Q", other.read(symbols.address("words"), 8 * WORDS))
    changed = [n for n, word in enumerate(words) if word == BASE + n + FAR.virtual]
    assert changed == sorted((*packed, 2, 110))
    assert all(word == BASE + n for n, word in enumerate(words) if n not in changed)
    assert (other.base, other.va_bits_min) == (BASE + FAR.virtual, image.va_bits_min)
    assert symbols.address("f") == image.base + FAR.virtual + (built.symbols["f"] - BASE)
    assert other.u32(symbols.address("f")) == RET
    assert not other.holds(BASE)


def test_without_an_offset_it_is_the_same_image(built: Builder) -> None:
    image = finished(built)
    symbols = symbols_of(image)

    assert moved(image, symbols, NOWHERE) == (image, symbols)
    assert moved(image, symbols, Kaslr(0, 0x10000)) == (image, symbols)


@pytest.mark.parametrize("offset", [-0x10000, 1, 0x8000, (1 << 46) + 0x10000])
def test_an_offset_that_no_kernel_chooses_is_refused(built: Builder, offset: int) -> None:
    image = finished(built)

    with pytest.raises(UsageError, match="wanted a multiple of 0x10000 up to 0x"):
        moved(image, symbols_of(image), Kaslr(offset))


def test_a_kernel_that_cannot_be_moved_is_refused(built: Builder) -> None:
    image = finished(built)

    with pytest.raises(UsageError, match="it has no relocations"):
        moved(image, symbols_of(image), FAR)


@pytest.mark.parametrize("places", [(BASE + (1 << 30),), (BASE - 64,)])
def test_a_relocation_of_nothing_is_damage(built: Builder, places: tuple[int, ...]) -> None:
    built.relocations(packed=places)
    image = finished(built)

    with pytest.raises(UsageError, match=r"a relocation of it is at 0x.*, where nothing is"):
        moved(image, symbols_of(image), FAR)


def test_what_it_asks_for_stays_the_same() -> None:
    """And what it says of itself, which it reaches through pointers."""
    image = Image("small", small_kernel(extra=LIKE_THE_MODEL).image())
    here, there = Kernel(image), Kernel(image, kaslr=FAR)

    assert there.capabilities.rows == here.capabilities.rows
    assert (there.allowed, there.build_id) == (here.allowed, here.build_id)
    assert (there.va_bits, there.cpu_features) == (here.va_bits, here.cpu_features)
    assert [trace(there, cpu) for cpu in (0, 1)] == [trace(here, cpu) for cpu in (0, 1)]
    assert trace(there, 0).outcome.endswith("with the same attributes")
    split = [f.function.symbol.address for k in (here, there) for f in k.functions[:1]]
    assert split[1] - split[0] == FAR.virtual


def test_a_pointer_that_was_forgotten_is_noticed() -> None:
    """Without the entry for one row's text the kernel says other names."""
    built = small_kernel()
    whole = built.image()
    rela = built.symbols["__pi_rela_start"] - BASE
    spoilt = whole[: rela + 8] + pack("<Q", 0) + whole[rela + 16 :]

    with pytest.raises(UsageError, match="there is nothing at"):
        _ = Kernel(Image("small", spoilt), kaslr=FAR).va_bits
