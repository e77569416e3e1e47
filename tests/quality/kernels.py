"""Downloads Debian's arm64 kernels through apt, and proves the split of each; `nox -s kernels`.

What each asks for is held against the model: as it is, where KASLR has moved it, with 52-bit
addresses, and without LSE.

Packages come from the archive that this machine's apt knows, by name, with a configuration of their
own: nothing is installed, and apt's own lists stay as they are. Where apt has none, it says so.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from simbbm import discovery, explore, kernel_image
from simbbm.binary.formats.image import Image
from simbbm.binary.formats.kaslr import Kaslr
from simbbm.binary.kernel import Kernel
from simbbm.binary.trace import AS_WANTED, trace
from simbbm.core.errors import SimbbmError
from simbbm.explore.beside.compare import compare

SUITES = ("trixie-backports", "forky", "sid", "experimental")
PACKAGE = re.compile(r"linux-(image|binary)-(\d+\.\d+)(\S*?)(-cloud|-rt)?-arm64(-16k)?")
SECONDS_MAX = 300.0


class Apt:
    """apt with a configuration of its own, below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        archive = self._archive()
        lines = [f"deb [arch=arm64 trusted=yes] {archive} {suite} main" for suite in SUITES]
        (folder / "sources.list").write_text("\n".join(lines) + "\n")
        settings = {
            "Dir::State": "state",
            "Dir::State::status": "state/status",
            "Dir::Cache": "cache",
            "Dir::Etc::sourcelist": "sources.list",
            "Dir::Etc::sourceparts": "none",
        }
        text = "".join(f'{name} "{folder / value}";\n' for name, value in settings.items())
        (folder / "apt.conf").write_text(f'{text}APT::Architectures "arm64";\n')

    def _archive(self) -> str:
        """Where this machine gets Debian from."""
        found = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=True,
        )
        archives = [line for line in found.stdout.split() if line.rstrip("/").endswith("/debian")]
        if not archives:
            raise OSError("this machine's apt knows no Debian archive")
        return archives[0]

    def run(self, *arguments: str) -> str:
        """What a command prints."""
        environment = os.environ | {"APT_CONFIG": str(self.folder / "apt.conf")}
        done = subprocess.run(
            arguments, cwd=self.folder, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def packages(self) -> list[str]:
        """The newest package of each version and flavour that has an image."""
        names = self.run("apt-cache", "search", "-n", r"^linux-(image|binary)-[0-9].*arm64").split()
        newest: dict[tuple[str | None, ...], str] = {}
        for name in sorted({*names}, key=_numbers):
            match = PACKAGE.fullmatch(name)
            binary = name.replace("-image-", "-binary-")
            if match and name == (binary if binary in names else name):
                newest[match[2], match[4], match[5]] = name
        return list(newest.values())

    def image(self, package: str) -> bytes | None:
        """The kernel in a package; None if it has none."""
        self.run("apt-get", "download", package)
        (file,) = self.folder.glob(f"{package}_*.deb")
        unpacked = file.with_suffix(".tar")
        with unpacked.open("wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", file], stdout=out, check=True)
        with tarfile.open(unpacked) as archive:
            members = [m for m in archive if re.search(r"/vmlinuz[^/]*$", m.name) and m.isfile()]
            reader = archive.extractfile(members[0]) if members else None
            found = reader.read() if reader else None
        file.unlink()
        unpacked.unlink()
        return found


def _numbers(name: str) -> list[int]:
    """What a name is sorted by: its version."""
    return [int(digits) for digits in re.findall(r"\d+", name.partition("-arm64")[0])]


def _variants(kernel: Kernel) -> Iterator[tuple[str, Kernel]]:
    """The kernel on several machines."""
    image = kernel.image
    yield "as it is", kernel
    yield "moved by KASLR", Kernel(image, kaslr=Kaslr(0x2A_1234_0000, 0x3_0021_0000))
    yield "without LSE", Kernel(image, cpu_features=[])
    yield "with CnP and REPEAT_TLBI", Kernel(image, cpu_features=["LSE", "CnP", "REPEAT_TLBI"])
    if kernel.va_bits == 52:
        yield "with 52-bit addresses", Kernel(image, cpu_features=["LSE", "VA52"])


def _agrees(kernel: Kernel) -> bool:
    found = compare(kernel, discovery.find("linear_map_split::good"))
    return all(comparison.agrees for comparison in found)


def proved(folder: Path, data: bytes, layouts: Iterable[str]) -> Iterator[str]:
    """A row for each layout: the verdict, what it took, and what is wrong."""
    file = folder / "vmlinuz"
    file.write_bytes(data)
    for layout in layouts:
        start = time.monotonic()
        params = {"layout": layout}
        try:
            answer = explore(kernel_image(file), params, max_seconds=SECONDS_MAX)
        except SimbbmError as error:
            yield f"FAILED  layout={layout}: {error.message}"
            continue
        good = "ok     " if answer.verdict == "PROVED" else "FAILED "
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        yield (
            f"{good} layout={layout}: {answer.verdict} {answer.message}, "
            f"{answer.details.states:,} states, {answer.details.transitions:,} transitions; "
            f"{time.monotonic() - start:.1f} s, {used:,} MiB so far"
        )


def looked_at(package: str, data: bytes) -> Iterator[str]:
    """A row of the table, and what is wrong."""
    start = time.monotonic()
    try:
        kernel = Kernel(Image(package, data))
        boot, secondary = (trace(kernel, cpu) for cpu in (0, 1))
        wrong = [how for how, other in _variants(kernel) if not _agrees(other)]
    except SimbbmError as error:
        early = "never splits" in error.message
        yield f"{'refused' if early else 'FAILED '} {error.message}"
        return
    unknown = sum(len(facts.unknown) for facts in kernel.functions)
    instructions = sum(facts.instructions for facts in kernel.functions)
    good = not unknown and not wrong and boot.outcome.endswith(AS_WANTED)
    agrees = f"not as in the model {', '.join(wrong)}" if wrong else "as in the model"
    yield (
        f"{'ok     ' if good else 'FAILED '} {package}: {len(kernel.functions)} functions, "
        f"{instructions:,} instructions, {unknown} unknown; executed {boot.executed:,} and "
        f"{secondary.executed:,}; {boot.outcome}; {agrees}; {time.monotonic() - start:.1f} s"
    )


def _rows(folder: Path, package: str, data: bytes, layouts: list[str]) -> Iterator[str]:
    """All rows of a package: what is refused, or cannot be executed, is not searched."""
    for line in looked_at(package, data):
        yield line
        if line.startswith("ok"):
            yield from proved(folder, data, layouts)


def main() -> int:
    """Print a line for each package; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="packages with this in their names")
    parser.add_argument("--layouts", default="pmd", help="to prove, with commas; or none")
    arguments = parser.parse_args()
    only, layouts = arguments.only, [each for each in arguments.layouts.split(",") if each]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        try:
            apt = Apt(Path(folder))
            apt.run("apt-get", "update")
            packages = [name for name in apt.packages() if only in name]
        except (OSError, subprocess.CalledProcessError) as error:
            sys.stdout.write(f"skipped: {error}\n")
            return 0
        for package in packages:
            data = apt.image(package)
            for line in _rows(apt.folder, package, data, layouts) if data else ():
                failed |= line.startswith("FAILED")
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
