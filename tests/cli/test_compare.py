"""`simbbm compare` on kernels of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.binary import kernels
from tests.binary.kernels import LIKE_THE_MODEL, MIDRS, small_kernel
from tests.cli.commandline import Cli


def image(path: Path, **functions: str) -> Path:
    path.write_bytes(small_kernel(extra=LIKE_THE_MODEL | functions).image())
    return path


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return image(tmp_path / "before")


def test_an_image_is_like_itself(simbbm: Cli, before: Path) -> None:
    told = simbbm.ok("compare", before, before).splitlines()
    (head,) = simbbm.rows("compare", before, before)

    assert told[0] == "7.2.13-test -> 7.2.13-test"
    assert told[-1].startswith("    the same steps in the same order")
    assert (head["type"], head["same"], head["differences"]) == ("kernel-pair", True, 0)


def test_a_longer_function_is_shown_and_matters_to_nobody(
    simbbm: Cli, before: Path, tmp_path: Path
) -> None:
    longer = LIKE_THE_MODEL["split_pmd"].replace("dsb ishst", "mov x7, #1\ndsb ishst")
    after = image(tmp_path / "after", split_pmd=longer)

    told = simbbm.ok("compare", before, after)

    assert "split_pmd                            24 instructions -> 25 instructions" in told
    assert "no other CPU can notice a difference" in told


def test_tables_that_are_loaded_once_more_matter_to_nobody(
    simbbm: Cli, before: Path, tmp_path: Path
) -> None:
    more = LIKE_THE_MODEL["split_pmd"].replace("ldr x2, [x3]", "ldr x2, [x3]\nldr x2, [x3]", 1)
    head, *rows = simbbm.rows("compare", before, image(tmp_path / "after", split_pmd=more))

    step = next(row for row in rows if row["kind"] == "step")
    assert (step["before"], step["after"]) == ("ldr tables x4", "ldr tables x5")
    assert (step["name"], step["place_before"], step["matters"]) == (
        "cpu0",
        "split_pmd+0x10",
        False,
    )
    assert head["same"]


@pytest.mark.parametrize(
    ("function", "old", "new", "step"),
    [
        ("split_pmd", "dsb ishst", "dmb ish", ("dsb ishst", None)),
        ("split_pmd", "#512", "#511", ("str tables x512", "str tables x511")),
        ("cpu_install_idmap", "dsb nsh\n", "\n", ("dsb nsh", None)),
        ("split_pmd", "dsb ishst", "brk #0x800", ("str tables", None)),
    ],
)
def test_another_step_matters(
    simbbm: Cli,
    before: Path,
    tmp_path: Path,
    function: str,
    old: str,
    new: str,
    step: tuple[str, str | None],
) -> None:
    changed = LIKE_THE_MODEL[function].replace(old, new, 1)
    after = image(tmp_path / "after", **{function: changed})

    head, *rows = simbbm.rows("compare", before, after, code=1)

    assert not head["same"]
    assert step in [(row["before"], row["after"]) for row in rows if row["matters"]]


def test_cpus_capabilities_and_calls(
    simbbm: Cli, before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "MIDRS", ((MIDRS[0][0], 0, 0xF0000F), *MIDRS[1:]))
    after = image(tmp_path / "after", multi_cpu_stop="nop\nnop\nnop\nbl panic\nret")

    told = simbbm.ok("compare", before, after)

    assert "Cortex-X4                            r0p3 to r0p15 -> all" in told
    assert "panic                                - -> a finding if it is reached" in told
