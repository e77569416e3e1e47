"""Symbols that were decoded once are kept, and count only while they fit the image."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from simbbm.binary.formats import symbol_cache, symbols
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.symbols import symbols_of
from tests.binary.images import BASE, RET, Builder

FOUND = [("_text", BASE), ("f", BASE + 64), ("g", BASE + 64)]


def image(name: str = "f") -> Image:
    built = Builder()
    built.code(name, RET)
    built.put("_end", b"")
    built.kallsyms()
    return Image("x", built.image())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".simbbm" / "symbols"


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_they_are_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = symbols_of(image(), folder=folder)
    monkeypatch.setattr(symbols, "kallsyms", None)

    again = symbols_of(image(), folder=folder)

    assert again._ordered == first._ordered
    assert (again.source, again.address("f")) == ("kallsyms", first.address("f"))
    assert (folder.parent / ".gitignore").read_text() == "*\n"
    with pytest.raises(TypeError):
        symbols_of(image("g"), folder=folder)


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    symbols_of(image())

    assert [] == [*tmp_path.iterdir()]


def written(folder: Path, **changes: object) -> None:
    """Put a file there that says something else, with the right checksum."""
    symbol_cache.remember(FOUND, image(), folder)
    file = only_file(folder)
    content = msgspec.json.decode(file.read_bytes().partition(b"\n")[2]) | changes
    text = msgspec.json.encode(content)
    file.write_bytes(symbol_cache._checksum(text) + b"\n" + text)


def test_what_is_written_is_what_is_read(folder: Path) -> None:
    written(folder)

    assert symbol_cache.recall(image(), folder) == FOUND


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "another version's"},
        {"addresses": [BASE, BASE + 64]},
        {"addresses": [BASE, BASE + 64, BASE + 60]},
        {"addresses": [BASE + 4, BASE + 64, BASE + 64]},
        {"addresses": [BASE, BASE + 64, -1]},
        {"addresses": [BASE, BASE + 64, 1e30]},
        {"addresses": [BASE, BASE + 64, "64"]},
        {"names": ["_text", "f"]},
        {"names": [1, 2, 3]},
        {"names": None},
    ],
)
def test_what_does_not_fit_is_not_read(folder: Path, changes: dict[str, object]) -> None:
    written(folder, **changes)

    assert symbol_cache.recall(image(), folder) is None


def test_every_damaged_byte_is_noticed(folder: Path) -> None:
    symbol_cache.remember(FOUND, image(), folder)
    file = only_file(folder)
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert symbol_cache.recall(image(), folder) is None
        file.write_bytes(whole[:at])
        assert symbol_cache.recall(image(), folder) is None


def test_one_that_is_another_image_s_is_not_read(folder: Path) -> None:
    symbol_cache.remember(FOUND, image(), folder)
    other = image("another")
    only_file(folder).rename(folder / f"{other.digest[:32]}.json")

    assert symbol_cache.recall(other, folder) is None


def test_so_many_are_kept_and_nothing_else_is_touched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symbol_cache, "IMAGES_MAX", 2)
    folder.mkdir(parents=True)
    (folder / "mine.json").touch()
    images = [image(name) for name in "abc"]
    for age, one in enumerate(images):
        symbol_cache.remember(FOUND, one, folder)
        os.utime(folder / f"{one.digest[:32]}.json", (age, age))

    kept = [symbol_cache.recall(one, folder) is not None for one in images]

    assert kept == [False, True, True]
    assert (folder / "mine.json").exists()


def test_where_nothing_can_be_written_they_are_decoded(tmp_path: Path) -> None:
    (tmp_path / ".simbbm").write_text("a file")

    assert symbols_of(image(), folder=tmp_path / ".simbbm" / "symbols").find("f")
