"""The collector: on machines that are folders of files, alone, and in the syntax of Python 3.6."""

from __future__ import annotations

import ast
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simbbm.field import collector
from simbbm.field.collected import collected
from simbbm.field.machines import Kind
from simbbm.field.revisions import Revision
from tests.field.machines import A725, X925, cpuinfo, fake_root, write

FILE = Path(collector.__file__)
TREE = ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 6))
"""Newer syntax is refused here."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fake_root(tmp_path, [A725, A725, X925])


def unread(found: dict[str, Any]) -> dict[str, str]:
    """What could not be read, and why."""
    return {lack["what"]: lack["why"] for lack in found["unread"]}


def test_what_it_collects(root: Path) -> None:
    found: dict[str, Any] = collector.collect(str(root))

    assert ("collected", "A Board", "aarch64") == (found["type"], found["name"], found["arch"])
    assert ("7.3.4-arm64", 4096) == (found["release"], found["page_size"])
    assert [(c["cpu"], c["online"], c["midr"]) for c in found["cpus"]] == [
        (0, True, "0x410fd871"),
        (1, True, "0x410fd871"),
        (2, True, "0x410fd851"),
    ]
    assert {"bytes": 125829120 << 10, "ranges": []} == found["memory"]


def test_nothing_of_the_command_line_leaves_the_machine_that_does_not_matter(root: Path) -> None:
    text = json.dumps(collector.collect(str(root)))

    assert '"cmdline": ["rodata=full"]' in text
    assert "secret" not in text
    assert "UUID" not in text


def test_addresses_that_are_hidden_are_said_to_be(root: Path) -> None:
    assert {"/proc/iomem": "it has no addresses for who is not root"}.items() <= unread(
        collector.collect(str(root))
    ).items()


def test_where_ram_is_for_who_may_read_it(root: Path) -> None:
    lines = "80000000-ffffffff : System RAM\n880000000-8ffffffff : System RAM\n"
    write(root, "proc/iomem", f"{lines}  80210000-8129ffff : Kernel code\nf0-f1 : reserved\n")
    found: dict[str, Any] = collector.collect(str(root))

    assert [[0x80000000, 0x100000000], [0x880000000, 0x900000000]] == found["memory"]["ranges"]
    assert "/proc/iomem" not in unread(found)


def test_a_machine_that_cannot_be_an_arm64_one_is_told_so(tmp_path: Path) -> None:
    root = fake_root(tmp_path, [None])
    write(root, "proc/sys/kernel/arch", "x86_64\n")
    told = collector.complaints(collector.collect(str(root)))

    assert "no CPU says what it is: is this an arm64 machine? (x86_64)" == told[-1]


def test_without_sysfs_it_asks_proc(tmp_path: Path) -> None:
    write(tmp_path, "proc/cpuinfo", cpuinfo([A725, X925]))
    found: dict[str, Any] = collector.collect(str(tmp_path))

    assert [("0x410fd871", "/proc/cpuinfo"), ("0x410fd851", "/proc/cpuinfo")] == [
        (cpu["midr"], cpu["from"]) for cpu in found["cpus"]
    ]
    assert "No such file or directory" == unread(found)["/sys/devices/system/cpu/present"]


def test_a_cpu_that_is_offline_is_said_to_be(tmp_path: Path) -> None:
    root = fake_root(tmp_path, [A725, None], online="0")
    found: dict[str, Any] = collector.collect(str(root))
    place = "/sys/devices/system/cpu/cpu1/regs/identification/midr_el1"

    assert {"cpu": 1, "online": False, "midr": None, "from": None} == found["cpus"][1]
    assert "the CPU is offline" == unread(found)[place]


def test_two_sources_that_disagree_are_both_told(root: Path) -> None:
    write(root, "proc/cpuinfo", cpuinfo([A725, A725, A725]))
    found: dict[str, Any] = collector.collect(str(root))
    place = "/sys/devices/system/cpu/cpu2/regs/identification/midr_el1"

    assert "/proc/cpuinfo says 0x410fd871" == unread(found)[place]


def test_how_the_kernel_was_built(root: Path) -> None:
    lines = "CONFIG_KFENCE=y\nCONFIG_KFENCE_SAMPLE_INTERVAL=0\n"
    lines += "# CONFIG_RODATA_FULL_DEFAULT_ENABLED is not set\n"
    (root / "proc" / "config.gz").write_bytes(gzip.compress(lines.encode()))
    expected = {
        "KFENCE": "y",
        "KFENCE_SAMPLE_INTERVAL": "0",
        "RODATA_FULL_DEFAULT_ENABLED": "n",
        "DEBUG_PAGEALLOC_ENABLE_DEFAULT": None,
    }

    assert expected == collector.collect(str(root))["config"]
    write(root, "boot/config-7.3.4-arm64", lines)
    for broken in (b"\x1f\x8b cut", gzip.compress(b"")[:10] + b"\xff" * 20):
        (root / "proc" / "config.gz").write_bytes(broken)
        assert expected == collector.collect(str(root))["config"]


def test_all_cpus_of_the_largest_machine_are_read_from_proc(tmp_path: Path) -> None:
    text = cpuinfo([0xC00FAC31] * 4096).replace(
        "BogoMIPS", f"Features\t: {'fp asimd ' * 30}\nBogoMIPS"
    )
    write(tmp_path, "proc/cpuinfo", text)
    cpus: Any = collector.collect(str(tmp_path))["cpus"]

    assert {"0xc00fac31"} == {cpu["midr"] for cpu in cpus}
    assert 4096 == len(cpus)


def test_a_machine_that_says_nothing_costs_no_traceback(tmp_path: Path) -> None:
    found = collector.collect(str(tmp_path))

    assert ([], None, None) == (found["cpus"], found["arch"], found["page_size"])
    assert len(unread(found)) >= 8


@pytest.mark.parametrize(
    "content", ["", "0-", "-1", "9-3", "0-999999999999", "0-4,x", "\0\0", "0-3000000"]
)
def test_a_list_of_cpus_that_is_none_is_no_machine_of_millions(
    tmp_path: Path, content: str
) -> None:
    root = fake_root(tmp_path, [A725])
    write(root, "sys/devices/system/cpu/present", content)

    cpus: Any = collector.collect(str(root))["cpus"]
    assert len(cpus) <= collector.CPUS_MAX


@pytest.mark.parametrize("content", ["", "zz", "0x", "-1", "0x" + "f" * 40, "nan", "\xff"])
def test_a_midr_that_is_none_is_not_read(tmp_path: Path, content: str) -> None:
    root = fake_root(tmp_path, [A725])
    write(root, "sys/devices/system/cpu/cpu0/regs/identification/midr_el1", content)

    found: dict[str, Any] = collector.collect(str(root))
    assert [None] == [cpu["midr"] for cpu in found["cpus"]]


def test_files_that_may_not_be_read_are_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str, *_: object, **__: object) -> Any:
        raise PermissionError(13, os.strerror(13), path)

    monkeypatch.setattr("builtins.open", denied)
    found = collector.collect(str(root))

    assert {"Permission denied"} <= {*unread(found).values()}
    assert [] == found["cpus"]


# What it is.


def test_it_runs_alone(root: Path, tmp_path: Path) -> None:
    """On an interpreter that sees neither packages nor the environment, from another folder."""
    copy = tmp_path / "collect.py"
    copy.write_bytes(FILE.read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(copy), str(root)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    machine = collected(done.stdout.encode(), "box.json")

    assert json.loads(done.stdout) == collector.collect(str(root))
    assert "not read: /proc/iomem: it has no addresses" in done.stderr
    assert [Kind((0x41, 0xD87), Revision(0, 1)), Kind((0x41, 0xD85), Revision(0, 1))] == [
        *machine.kinds()
    ]


def test_it_imports_the_standard_library_and_nothing_of_ours() -> None:
    imported = {
        name.name
        for node in ast.walk(TREE)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }

    assert {"gzip", "json", "os", "re", "sys", "zlib"} == imported


def test_it_only_reads() -> None:
    """Files are opened for reading, and nothing of `os` changes anything."""
    opened = [
        node
        for node in ast.walk(TREE)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "gzip.open")
    ]
    of_os = {
        ast.unparse(node)
        for node in ast.walk(TREE)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("os", "os.path")
    }

    assert 2 == len(opened)
    assert all("'rb'" == ast.unparse(call.args[1]) for call in opened)
    assert {"os.path", "os.path.join", "os.sysconf", "os.uname"} == of_os


def test_newer_syntax_would_be_noticed() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("if (x := 1): pass", feature_version=(3, 6))
    assert not [node for node in ast.walk(TREE) if isinstance(node, ast.NamedExpr | ast.Match)]
    future = [node for node in ast.walk(TREE) if isinstance(node, ast.ImportFrom)]
    assert not future, "annotations are evaluated in 3.6: those that are newer are strings"


def test_annotations_are_what_python_3_6_can_evaluate() -> None:
    """It evaluates those of arguments and results, and no others here; newer forms are strings."""
    given = [node.annotation for node in ast.walk(TREE) if isinstance(node, ast.arg)]
    given += [node.returns for node in ast.walk(TREE) if isinstance(node, ast.FunctionDef)]
    annotations = [node for node in given if node is not None]
    evaluated = {
        ast.unparse(node)
        for node in annotations
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str))
    }

    assert {"int", "str", "bool", "None", "Files"} >= evaluated
    assert len(annotations) > len(evaluated)
    assert not [node for node in TREE.body if isinstance(node, ast.AnnAssign)]
