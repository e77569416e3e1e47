"""Scenarios as pytest items: collected when asked for, failing with what one needs to go on."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from simbbm import discovery, library, pytest_plugin
from simbbm.cli import template as template_module

UNMAPPED = '''

async def wild(cpu: Cpu) -> None:
    """Reads what nobody mapped."""
    await cpu.ldr((KERNEL_PAGE + 7) * WORDS)


@scenario(expect="HOLDS")
def unmapped() -> Setup:
    """A typo in an address."""
    regime = Regime((Ttbr(0),), (Ttbr(TABLE),), (Tcr(0, 1, epd0=True),))
    return Setup(
        geometry=SCALED,
        cpus=(CpuSetup(wild, regime),),
        tables={TABLE: (leaf(OLD, RW), leaf(TABLES, RW))},
        properties=(no_tlb_conflict, terminates),
    )
'''
LOADED = (discovery, library)
"""Loaded before any test: a pytest within pytest unloads what it has loaded, and the rest stays."""
INI = """
[pytest]
addopts = -n0 -p no:randomly -p no:asyncio
simbbm_files = models/*.py
"""


@pytest.fixture(autouse=True)
def forgets_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests import files of the same name, and these here run pytest in this process."""
    monkeypatch.delitem(sys.modules, "mine", raising=False)


@pytest.fixture
def template(pytester: pytest.Pytester) -> Path:
    """A scenario file with one good scenario and one bad twin, where the ini looks for it."""
    pytester.makeini(INI)
    pytester.mkdir("models")
    path = pytester.path / "models/mine.py"
    path.write_text(Path(template_module.__file__).read_text())
    return path


def test_files_that_the_ini_names_are_collected_and_checked(
    pytester: pytest.Pytester, template: Path
) -> None:
    result = pytester.runpytest_inprocess("--junitxml=j.xml", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*mine.py::good PASSED*", "simbbm: 1 proved, 1 bad twin violated as expected"]
    )
    told = {
        case.get("name"): case.find("properties/property").get("value")  # type: ignore[union-attr]
        for case in ET.parse(pytester.path / "j.xml").iter("testcase")
    }
    assert told["good"] is not None
    assert told["good"].startswith("PROVED (")
    assert told["no_tlbi"] is not None
    assert told["no_tlbi"].startswith("VIOLATED:no_tlb_conflict (")


def test_nothing_is_collected_unless_asked_for(pytester: pytest.Pytester, template: Path) -> None:
    pytester.makeini("[pytest]\naddopts = -n0 -p no:asyncio")
    pytester.runpytest_inprocess().assert_outcomes()
    pytester.makepyfile("def test_x(): import simbbm.scenario")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_file_on_the_command_line_is_collected(pytester: pytest.Pytester, template: Path) -> None:
    pytester.makeini("[pytest]\naddopts = -n0 -p no:asyncio")
    pytester.runpytest_inprocess(str(template), "-k", "good").assert_outcomes(
        passed=1, deselected=1
    )


def test_a_failure_shows_the_columns_and_the_next_run_replays_it_first(
    pytester: pytest.Pytester, template: Path
) -> None:
    template.write_text(template.read_text() + UNMAPPED)
    first = pytester.runpytest_inprocess()
    first.assert_outcomes(passed=2, failed=1)
    first.stdout.fnmatch_lines(
        [
            "*::unmapped: VIOLATED:no_fault_on_live_map, expected HOLDS",
            "* step  cpu0",
            ">   0    ldr *",
            "show with: simbbm show .simbbm/witness/*.json --allow-file models/mine.py",
            "or, on any machine, as a page: simbbm show sb* --as html -o run.html --allow-file *",
            "simbbm: *, 1 not as expected",
        ]
    )
    again = pytester.runpytest_inprocess("--lf")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["the counterexample of the run before, replayed"])


def test_what_was_mended_is_searched_again(pytester: pytest.Pytester, template: Path) -> None:
    whole = template.read_text()
    template.write_text(whole + UNMAPPED)
    pytester.runpytest_subprocess().assert_outcomes(passed=2, failed=1)
    template.write_text(whole + UNMAPPED.replace("(KERNEL_PAGE + 7) * WORDS", "X"))
    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_a_file_that_does_not_import_is_one_failed_item(
    pytester: pytest.Pytester, template: Path
) -> None:
    broken = template.with_name("broken.py")
    broken.write_text("from simbbm import scenario\n1 / 0\n")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])


def test_a_bad_twin_that_is_not_caught_fails(pytester: pytest.Pytester, template: Path) -> None:
    text = template.read_text().replace('drop=["move.tlbi.vaae1is"]', 'drop=["move.isb"]')
    template.write_text(text)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*no_tlbi: PROVED, expected VIOLATED:no_tlb_conflict"])


@pytest.mark.parametrize("wrong", ["--simbbm-runs=0", "--simbbm-param=cpus", "--simbbm-seed=x"])
def test_settings_that_cannot_be_meant_are_refused(
    pytester: pytest.Pytester, template: Path, wrong: str
) -> None:
    result = pytester.runpytest_inprocess(wrong)
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_parameters_by_option_and_by_marker(pytester: pytest.Pytester, template: Path) -> None:
    said = "import pytest\npytestmark = pytest.mark.simbbm(readers=2)\n"
    template.write_text(template.read_text() + said)
    result = pytester.runpytest_subprocess("--simbbm-mode=stress", "--simbbm-runs=7", "-k", "good")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["simbbm: 1 sampled (no proof)"])
    template.write_text(template.read_text().replace("readers=2", "reeders=2"))
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*reeders*readers*"])


def test_xdist_junit_and_lf_say_the_same(pytester: pytest.Pytester, template: Path) -> None:
    template.write_text(template.read_text() + UNMAPPED)
    template.with_name("broken.py").write_text("from simbbm import scenario\nimport nosuch\n")
    result = pytester.runpytest_subprocess("-n2", "--junitxml=j.xml")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*ModuleNotFoundError: No module named 'nosuch'*"])
    result.stdout.fnmatch_lines(["simbbm: 1 proved, 1 bad twin violated as expected, 1 not as *"])
    cases = [*ET.parse(pytester.path / "j.xml").iter("testcase")]
    assert {"good", "no_tlbi", "unmapped", "broken"} == {case.get("name") for case in cases}
    failed = {case.get("name") for case in cases if case.find("failure") is not None}
    assert {"unmapped", "broken"} == failed

    again = pytester.runpytest_subprocess("-n1", "--lf")
    again.assert_outcomes(failed=2)
    again.stdout.fnmatch_lines(["the counterexample of the run before, replayed"])


def test_settings_are_read_once(
    pytester: pytest.Pytester, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many items there are; and one of them can be run alone."""
    made, read = pytest_plugin.Settings.__init__, []

    def init(self: pytest_plugin.Settings, config: pytest.Config) -> None:
        read.append(config)
        made(self, config)

    monkeypatch.setattr(pytest_plugin.Settings, "__init__", init)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert 1 == len(read)
    pytester.runpytest_inprocess("models/mine.py::good").assert_outcomes(passed=1)
    assert 2 == len(read)


def test_a_cpus_features_are_a_parameter(pytester: pytest.Pytester, template: Path) -> None:
    given = ("--simbbm-param=cpu1=bbm=3,ets2", "--simbbm-param=readers=2")
    pytester.runpytest_inprocess(*given).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("cpu9=ets2", "*cpu9=ets2: there is no cpu9 (the last is cpu1)"),
        ("reeders=2", "*--simbbm-param reeders: no scenario has such a parameter (*readers)"),
    ],
)
def test_a_parameter_that_no_scenario_has_is_told(
    pytester: pytest.Pytester, template: Path, wrong: str, told: str
) -> None:
    result = pytester.runpytest_inprocess(f"--simbbm-param={wrong}")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([told])
