"""`simbbm list`, `simbbm new`, the help, and completion."""

from pathlib import Path

import pytest
from simbbm_scenarios import ROOMS

from simbbm import __version__, discovery
from simbbm.check.catalogue import CATALOGUE
from simbbm.cli.app import COMMANDS
from tests.cli.commandline import Cli


def test_list_shows_each_shipped_scenario_once(simbbm: Cli) -> None:
    lines = simbbm.ok("list").splitlines()
    heads = [line.split("  ")[0] for line in lines if not line.startswith(" ")]
    rooms = [head for head in heads if "::" not in head]

    assert [head for head in heads if "::" in head] == [s.id for s in discovery.shipped()]
    assert rooms == [f"{room.name}: {room.about}" for room in ROOMS]
    assert heads.index("bbm_minimal::good") < heads.index(rooms[1]) < heads.index("catalogue::good")
    assert "bbm_minimal::live_change  VIOLATED:no_size_change_seen" in lines


def test_list_shows_parameters_and_what_a_twin_changes(simbbm: Cli) -> None:
    shown = simbbm.ok("list", "bbm_minimal")

    assert "-p noabort=none (boot|all|none|LIST)  hardware=delayed (delayed|eager)" in shown
    assert "harmless.\n    -p noabort=all\n" in shown


def test_list_rows(simbbm: Cli) -> None:
    good, twin = (simbbm.row("list", f"linear_map_split::{n}") for n in ("good", "m09_no_tlbi"))

    assert good["type"] == "scenario"
    assert [good["room"], simbbm.row("list", "kpti::good")["room"]] == ["protocol", "second_users"]
    assert ("HOLDS", None, "proved") == (good["expect"], good["twin_of"], good["evidence"])
    assert good["params"]["cpus"] == {"type": "int", "default": 3, "min": 2, "max": 16}
    assert "mixed" in good["params"]["layout"]["choices"]
    assert good["story"]
    assert twin["twin_of"] == good["id"]


def test_list_fits_a_narrow_terminal(simbbm: Cli) -> None:
    lines = simbbm.ok("list", "linear_map_split::good", COLUMNS="70").splitlines()

    assert max(len(line) for line in lines if "(" in line) <= 70


def test_list_explains_each_property(simbbm: Cli) -> None:
    rows = simbbm.rows("list", "--properties")

    assert list(CATALOGUE) == [row["name"] for row in rows]
    assert "no_size_change_seen\n    A CPU without" in simbbm.ok("list", "--properties")


def test_a_broken_entry_point_hides_nothing(
    simbbm: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken_plugin.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(discovery, "entry_points", lambda: {"broken": "broken_plugin"})

    result = simbbm("list")

    assert result.exit_code == 0
    assert "bbm_minimal::good" in result.stdout
    assert "simbbm: warning: entry point broken: " in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_new_writes_a_scenario_that_passes_check(simbbm: Cli) -> None:
    shown = simbbm.ok("new", "my idea.py")
    (twin,) = (r for r in simbbm.rows("list", "my idea.py") if r["twin_of"])
    file = Path("my idea.py").absolute()
    rows = simbbm.rows("check", file, "--runs", "300", "-j", "1")

    assert "simbbm check 'my idea.py'" in shown
    assert "simbbm check 'my idea.py'" in file.read_text()
    assert twin["id"] == "my idea.py::no_tlbi"
    assert ["PROVED", "VIOLATED"] == [row["verdict"] for row in rows]


def test_new_overwrites_nothing(simbbm: Cli) -> None:
    Path("mine.py").write_text("precious")

    assert simbbm.refused("new", "mine.py") == "mine.py exists already (nothing was written)"
    assert Path("mine.py").read_text() == "precious"
    assert Path(simbbm.row("new", "other.py")["file"]) == Path("other.py").absolute()


def test_bare_command_names_three_commands(simbbm: Cli) -> None:
    shown = simbbm.ok()

    assert [name for name in COMMANDS if f"  simbbm {name} " in shown] == ["list", "new", "check"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(simbbm: Cli, command: str) -> None:
    shown = simbbm.ok(command, "--help")

    assert "Example" in shown
    assert f"\n    simbbm {command} " in shown or f"\n    simbbm {command}\n" in shown


def test_help_lists_every_command(simbbm: Cli) -> None:
    shown = simbbm.ok("--help")

    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert simbbm.ok("--version") == f"simbbm {__version__}\n"


def complete(simbbm: Cli, *words: str) -> list[str]:
    """What bash offers when the cursor is at the end of the last word."""
    env = {
        "_SIMBBM_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    return [line.partition(",")[2] for line in simbbm(**env).stdout.splitlines()]


def test_completion_of_scenario_ids(simbbm: Cli) -> None:
    assert "bbm_minimal::good" in complete(simbbm, "simbbm", "run", "bbm")
    assert complete(simbbm, "simbbm", "che") == ["check"]


def test_completion_takes_colons_as_bash_hands_them_over(simbbm: Cli) -> None:
    """Bash splits `bbm_minimal::li` at the colons, and replaces what follows them."""
    offered = complete(simbbm, "simbbm", "run", "bbm_minimal", "::", "li")

    assert offered == ["live_change", "live_change_noabort"]
    assert "good" in complete(simbbm, "simbbm", "run", "bbm_minimal", "::")


def test_completion_of_parameters_and_strategies(simbbm: Cli) -> None:
    named = ("simbbm", "run", "bbm_minimal", "::", "good")

    assert "hardware=eager" in complete(simbbm, *named, "-p", "hard")
    assert "pct" in complete(simbbm, *named, "--strategy", "p")


def test_completion_of_a_users_file(simbbm: Cli) -> None:
    simbbm.ok("new", "mine.py")

    assert complete(simbbm, "simbbm", "run", "mine.py", "::", "no") == ["no_tlbi"]
    assert complete(simbbm, "simbbm", "run", "min") == ["min"]  # left to the shell, as a file


def test_colours_are_for_terminals_that_want_them(simbbm: Cli) -> None:
    assert "\x1b[" not in simbbm.ok("list")
