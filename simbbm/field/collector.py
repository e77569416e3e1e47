#!/usr/bin/env python3
"""Says what a machine is, for `simbbm survey`: run it there, and keep what it prints as a file.

    python3 collect.py > box.json

Nothing but Python 3.6 and its standard library is needed. It reads files under /sys, /proc and
/boot, changes nothing, and needs no root: what it may not read stands in "unread", with the reason.
With a folder as its argument it reads the files under that folder, in place of those under /.
"""
# This file is copied to machines that have no simbbm: it imports nothing of it, and its syntax is
# that of Python 3.6 (tests/field/test_collector.py).

import gzip
import json
import os
import re
import sys
import zlib

CPUS_MAX = 4096
TEXT_MAX = 1 << 24
"""Bytes of a file; /proc/cpuinfo of CPUS_MAX CPUs has some two million."""
CPUS = "sys/devices/system/cpu"
WORDS = ("rodata", "debug_pagealloc", "kfence.sample_interval", "maxcpus", "nosmp", "nr_cpus")
CONFIG = (
    "RODATA_FULL_DEFAULT_ENABLED",
    "DEBUG_PAGEALLOC_ENABLE_DEFAULT",
    "KFENCE",
    "KFENCE_SAMPLE_INTERVAL",
)
"""What a kernel was built with, as far as the linear map depends on it."""


class Files:
    """Files of a machine; what cannot be read is noted, and is None."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.unread: list[dict[str, str]] = []

    def path(self, name: str) -> str:
        """Where a file is."""
        return os.path.join(self.root, name)

    def text(self, name: str, *, wanted: bool = True) -> "str | None":
        """The text of a file; one that is not wanted by all means may be missing."""
        try:
            with open(self.path(name), "rb") as file:
                content = file.read(TEXT_MAX)
        except (OSError, ValueError) as error:
            if wanted:
                self.lacks(name, getattr(error, "strerror", None) or str(error))
            return None
        return content.decode("utf-8", "replace").replace("\0", " ").strip()

    def lacks(self, name: str, why: str) -> None:
        """Note what could not be read."""
        self.unread.append({"what": "/" + name, "why": why})


def numbers(text: str) -> "list[int]":
    """The CPUs of a list as the kernel writes it, 0-3,8."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.match(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*$", part)
        if match:
            first, last = int(match.group(1)), int(match.group(2) or match.group(1))
            found.update(range(first, min(last, first + CPUS_MAX) + 1))
    return sorted(found)[:CPUS_MAX]


def cpus_of_proc(files: Files) -> "dict[int, int | None]":
    """MIDR_EL1 of each CPU that /proc/cpuinfo has, put together from its fields."""
    text = files.text("proc/cpuinfo") or ""
    found: dict[int, int | None] = {}
    for block in re.split(r"\n(?=processor\s*:)", "\n" + text):
        fields = dict(re.findall(r"^([^:\n]+?)\s*:\s*(.*?)\s*$", block, re.MULTILINE))
        try:
            number = int(fields["processor"])
            found[number] = None
            found[number] = (
                int(fields["CPU implementer"], 16) << 24
                | int(fields["CPU variant"], 16) << 20
                | 15 << 16
                | int(fields["CPU part"], 16) << 4
                | int(fields["CPU revision"], 10)
            )
        except (KeyError, ValueError):
            continue
    return found


def cpus(files: Files) -> "list[dict[str, object]]":
    """Every CPU that is there, with its MIDR_EL1 if it can be read, and whether it is online."""
    by_proc = cpus_of_proc(files)
    lists = {}
    for name in ("present", "online"):
        text = files.text(CPUS + "/" + name)
        lists[name] = None if text is None else numbers(text)
    present = lists["present"] if lists["present"] is not None else sorted(by_proc)
    found = []
    for number in present:
        online = None if lists["online"] is None else number in lists["online"]
        place = f"{CPUS}/cpu{number}/regs/identification/midr_el1"
        text = files.text(place, wanted=False)
        midr, source = by_proc.get(number), "/proc/cpuinfo"
        if text is not None and re.match(r"(0x)?[0-9a-fA-F]{1,16}$", text):
            midr, source = int(text, 16), "/" + place
            if by_proc.get(number) not in (None, midr):
                files.lacks(place, f"/proc/cpuinfo says {by_proc[number]:#x}")
        elif midr is None:
            why = "the CPU is offline" if online is False else "cannot be read"
            files.lacks(place, why)
        cpu: dict[str, object] = {"cpu": number, "online": online, "midr": None, "from": None}
        if midr is not None:
            cpu.update(midr=f"{midr:#x}", **{"from": source})
        found.append(cpu)
    return found


def memory(files: Files) -> "dict[str, object]":
    """How much RAM there is, and where, if that can be read."""
    text = files.text("proc/meminfo") or ""
    total = re.search(r"^MemTotal:\s*(\d{1,18}) kB", text, re.MULTILINE)
    ranges = []
    text = files.text("proc/iomem") or ""
    for first, last in re.findall(
        r"^([0-9a-f]{1,16})-([0-9a-f]{1,16}) : System RAM$", text, re.MULTILINE
    ):
        ranges.append([int(first, 16), int(last, 16) + 1])
    if ranges and not any(last > 1 for _, last in ranges):
        ranges = []
        files.lacks("proc/iomem", "it has no addresses for who is not root")
    return {"bytes": int(total.group(1)) * 1024 if total else None, "ranges": ranges}


def page_size(files: Files) -> "int | None":
    """Bytes of a page of this kernel."""
    text = files.text("proc/self/smaps", wanted=False) or ""
    match = re.search(r"^KernelPageSize:\s*(\d{1,9}) kB", text, re.MULTILINE)
    if match:
        return int(match.group(1)) * 1024
    if files.root == "/" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE")
    files.lacks("proc/self/smaps", "it has no page size")
    return None


def cmdline(files: Files) -> "list[str] | None":
    """The words of the kernel's command line that matter; the rest is nobody's business."""
    text = files.text("proc/cmdline")
    return None if text is None else [w for w in text.split() if w.split("=")[0] in WORDS][:20]


def config(files: Files, release: "str | None") -> "dict[str, str | None] | None":
    """What the kernel was built with: y, n or a number; None if no file says so."""
    text = None
    try:
        with gzip.open(files.path("proc/config.gz"), "rb") as file:
            text = file.read(TEXT_MAX).decode("utf-8", "replace")
    except (OSError, EOFError, ValueError, zlib.error):
        if release and "/" not in release:
            text = files.text("boot/config-" + release, wanted=False)
    if text is None:
        files.lacks("proc/config.gz", "neither it nor /boot/config-RELEASE can be read")
        return None
    found: dict[str, str | None] = {}
    for name in CONFIG:
        match = re.search(r"^CONFIG_" + name + r"=(\w{1,20})$", text, re.MULTILINE)
        found[name] = match.group(1) if match else "n"
        if not match and ("CONFIG_" + name) not in text:
            found[name] = None
    return found


def name_of(files: Files) -> "str | None":
    """What the machine calls itself."""
    for names in (
        ("proc/device-tree/model",),
        ("sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"),
    ):
        parts = [files.text(name, wanted=False) for name in names]
        told = " ".join(part for part in parts if part)
        if told:
            return " ".join(told.split())[:200]
    return None


def architecture(files: Files) -> "str | None":
    """What it is a machine of: aarch64, or another one."""
    text = files.text("proc/sys/kernel/arch", wanted=False)
    if text:
        return text
    return os.uname().machine if files.root == "/" and hasattr(os, "uname") else None


def collect(root: str = "/") -> "dict[str, object]":
    """Everything that a survey asks of a machine."""
    files = Files(root)
    release = files.text("proc/sys/kernel/osrelease")
    found: dict[str, object] = {
        "type": "collected",
        "schema": "simbbm/1",
        "name": name_of(files),
        "arch": architecture(files),
        "release": release,
        "page_size": page_size(files),
        "cmdline": cmdline(files),
        "config": config(files, release),
        "cpus": cpus(files),
        "memory": memory(files),
    }
    found["unread"] = files.unread
    return found


def complaints(found: "dict[str, object]") -> "list[str]":
    """What could not be read, and what else is wrong, a line each."""
    unread, every = found["unread"], found["cpus"]
    assert isinstance(unread, list)
    assert isinstance(every, list)
    lines = [f"not read: {lack['what']}: {lack['why']}" for lack in unread]
    if not any(cpu["midr"] for cpu in every):
        lines.append(f"no CPU says what it is: is this an arm64 machine? ({found['arch']})")
    return lines


def main() -> None:
    """Print what there is to say of this machine."""
    found = collect(sys.argv[1] if len(sys.argv) > 1 else "/")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    for line in complaints(found):
        sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
