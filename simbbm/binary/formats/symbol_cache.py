"""Symbols that were decoded once, kept for the next time: kallsyms of a kernel take seconds.

They stand in a folder of simbbm's, in a file under the digest of the image's. Nothing of it is
trusted: a file counts only if its checksum is right, if this version of simbbm wrote it about this
image, and if its symbols begin where the image does. Otherwise, and where the folder was deleted,
they are decoded again.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import msgspec

from simbbm.binary.formats.image import Image
from simbbm.core.errors import UsageError
from simbbm.host import reading
from simbbm.host.writing import make_folder, write

IMAGES_MAX = 8
"""Images whose symbols are kept, of some 10 MB each; the one that was kept first goes."""
_NAME = re.compile(r"[0-9a-f]{32}\.json")


class Content(msgspec.Struct, frozen=True):
    """A file's content, behind a line with its checksum."""

    key: str
    names: list[str]
    addresses: list[int]


def recall(image: Image, folder: Path) -> list[tuple[str, int]] | None:
    """Name and address of each symbol, ascending; None if they are not there, or do not fit."""
    try:
        check, _, text = reading.content(_file(image, folder)).partition(b"\n")
        if check != _checksum(text):
            return None
        found = reading.json(text, Content)
    except UsageError:
        return None
    ascending = all(low <= high for low, high in pairwise(found.addresses))
    if found.key != _key(image) or len(found.names) != len(found.addresses) or not ascending:
        return None
    table = list(zip(found.names, found.addresses, strict=True))
    return table if ("_text", image.base) in table else None


def remember(table: list[tuple[str, int]], image: Image, folder: Path) -> None:
    """Keep them for later. That they cannot be written costs no answer."""
    content = Content(_key(image), [name for name, _ in table], [at for _, at in table])
    text = msgspec.json.encode(content)
    with suppress(OSError):
        make_folder(folder)
        _leave(folder, IMAGES_MAX - 1)
        write(_file(image, folder), _checksum(text) + b"\n" + text)


def _leave(folder: Path, most: int) -> None:
    """Delete what was kept first, down to so many files. Whatever else is there stays."""
    ours = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    ours.sort(key=lambda path: (path.lstat().st_mtime_ns, path.name))
    for path in ours[: max(len(ours) - most, 0)]:
        path.unlink()


def _file(image: Image, folder: Path) -> Path:
    return folder / f"{image.digest[:32]}.json"


def _key(image: Image) -> str:
    return f"{image.digest} {_sources()}"


@cache
def _sources() -> str:
    """A digest of what reads images: another version may read another thing in the same bytes."""
    found = blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(blake2b(reading.content(path)).digest())
    return found.hexdigest()


def _checksum(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).hexdigest().encode()
