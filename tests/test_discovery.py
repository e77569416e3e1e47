"""Scenarios are found by id wherever they are, and an id means the same on every machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from simbbm_scenarios import ROOMS

from simbbm import discovery
from simbbm.core.errors import ScenarioError, SimbbmError, UsageError
from simbbm.explore.runs.run import run_one
from simbbm.model import Model

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "simbbm" / "cli" / "template.py"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's file with two scenarios, `good` and its twin `no_tlbi`."""
    return Path(shutil.copy(TEMPLATE, tmp_path / "mine.py"))


def test_shipped_scenarios_are_named_by_stem() -> None:
    found = discovery.find("bbm_minimal::live_change")

    assert ("bbm_minimal::live_change", "live_change", "bbm_minimal::good", "") == (
        found.id,
        found.name,
        found.twin_of,
        found.file,
    )
    assert discovery.find("bbm_minimal::good").twin_of is None


def test_shipped_set_is_listed_once() -> None:
    ids = [s.id for s in discovery.shipped()]

    assert sorted(set(ids)) == sorted(ids)
    assert {"bbm_minimal::good", "linear_map_split::good"} <= set(ids)


def test_path_of_a_shipped_file_gives_shipped_ids() -> None:
    in_its_room = str(ROOT / "scenarios" / "protocol" / "bbm_minimal.py")
    linked = str(ROOT / "scenarios" / "simbbm_scenarios" / "bbm_minimal.py")
    ids = [s.id for s in discovery.select(["bbm_minimal"])]

    for path in (in_its_room, linked):
        assert discovery.find(f"{path}::good").id == "bbm_minimal::good"
        assert [s.id for s in discovery.select([path])] == ids


def test_every_file_of_a_room_is_listed_and_linked() -> None:
    files = {
        (file.parent.name, file.stem): file
        for file in ROOT.glob("scenarios/*/*.py")
        if file.parent.name != "simbbm_scenarios"
    }
    listed = [(room.name, stem) for room in ROOMS for stem in room.stems]
    links = [
        f for f in (ROOT / "scenarios" / "simbbm_scenarios").glob("*.py") if f.name != "__init__.py"
    ]

    assert sorted(files) == sorted(listed)
    assert sorted(file.resolve() for file in links) == sorted(files.values())
    assert all(not link.readlink().is_absolute() for link in links)
    assert len({stem for _, stem in files}) == len(files)
    rows = re.findall(
        r"^\| `(\w+)` \| (.*`.*) \|$",
        (ROOT / "simbbm/guide/scenarios.md").read_text(),
        re.MULTILINE,
    )
    told = {room: sorted(re.findall(r"`(\w+)`", text)) for room, text in rows}
    assert {room.name: sorted(room.stems) for room in ROOMS} == {
        room.name: told.get(room.name) for room in ROOMS
    }


def test_shipped_scenarios_are_imported_without_ceremony(tmp_path: Path) -> None:
    """Nothing is imported before, neither in Python nor for mypy, which knows what it gets."""
    file = tmp_path / "user.py"
    file.write_text(
        "from simbbm_scenarios.linear_map_split import good\n"
        "from simbbm_scenarios import late_cpu\n"
        "print(good.build.__module__, late_cpu.__name__)\n"
    )
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["simbbm_scenarios.linear_map_split", "simbbm_scenarios.late_cpu"]

    file.write_text(f"{file.read_text()}good.id + 1\nlate_cpu.nothing\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(file)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert [line for line in said.splitlines() if ": error:" in line] == [
        'user.py:4: error: Unsupported operand types for + ("str" and "int")  [operator]',
        'user.py:5: error: Module has no attribute "nothing"  [attr-defined]',
    ]


def test_users_file_keeps_its_path(mine: Path) -> None:
    good, twin = discovery.select([str(mine)])

    assert (f"{mine}::good", None, str(mine)) == (good.id, good.twin_of, good.file)
    assert (f"{mine}::no_tlbi", f"{mine}::good") == (twin.id, twin.twin_of)
    assert discovery.find(twin.id).id == twin.id


def test_path_is_shown_as_it_is_given(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine.parent)

    assert discovery.find("./mine.py::good").id == "mine.py::good"


def test_users_file_never_shadows_a_shipped_one(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_name = mine.rename(mine.with_name("bbm_minimal.py"))
    mine.with_name("bbm_minimal").mkdir()
    monkeypatch.chdir(mine.parent)

    assert discovery.find(f"{same_name}::no_tlbi").id == f"{same_name}::no_tlbi"
    assert discovery.find("bbm_minimal::good").file == ""
    assert "no_tlbi" not in {s.name for s in discovery.select(["bbm_minimal"])}


def test_module_names_depend_on_the_stem_alone(mine: Path) -> None:
    shipped, users = discovery.find("bbm_minimal::good"), discovery.find(f"{mine}::good")

    assert shipped.build.__module__ == "simbbm_scenarios.bbm_minimal"
    assert users.build.__module__ == "simbbm_user.mine"


def test_digest_is_the_same_in_every_form_of_install(tmp_path: Path) -> None:
    """As in a wheel: files where the checkout has links, and no rooms."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "simbbm", tmp_path / "simbbm", ignore=ignore)
    shutil.copytree(
        ROOT / "scenarios" / "simbbm_scenarios", tmp_path / "simbbm_scenarios", ignore=ignore
    )
    command = [sys.executable, "-m", "simbbm", "run", "bbm_minimal::good", "--json"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    here = run_one(Model(discovery.find("bbm_minimal::good")), "default", 0)

    assert here.digest == json.loads(run.stdout)["digest"]


def test_twin_of_a_twin_names_the_good_one() -> None:
    found = discovery.find("linear_map_split::m16_m21_release_unpublished")

    assert found.twin_of == "linear_map_split::good"


def test_twin_of_a_shipped_scenario(tmp_path: Path) -> None:
    file = tmp_path / "derived.py"
    file.write_text(
        "from simbbm_scenarios.bbm_minimal import good\n"
        'mine = good.twin("Mine.", expect="HOLDS", noabort="all")\n'
    )

    (mine,) = discovery.select([str(file)])

    assert (f"{file}::mine", "bbm_minimal::good") == (mine.id, mine.twin_of)


def test_a_stem_is_everything_in_it_once() -> None:
    ids = [s.id for s in discovery.select(["bbm_minimal::good", "bbm_minimal"])]

    assert ids[0] == "bbm_minimal::good"
    assert len(set(ids)) == len(ids) > 1


def test_twins_come_with_the_one_that_is_named() -> None:
    twins = discovery.select(["bbm_minimal::good"], twins=True)

    assert {s.id for s in discovery.select(["bbm_minimal"])} == {s.id for s in twins}
    assert [s.id for s in discovery.select(["bbm_minimal::good"])] == ["bbm_minimal::good"]


def test_a_folder_is_its_scenario_files(mine: Path) -> None:
    mine.with_name("unrelated.py").write_text("raise SystemExit('must not be run')\n")

    assert [s.name for s in discovery.select([str(mine.parent)])] == ["good", "no_tlbi"]


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch, mine: Path) -> None:
    """Another distribution: entry points `theirs`, and one that would shadow a shipped stem."""
    monkeypatch.syspath_prepend(str(mine.parent))
    group = discovery.ENTRY_POINTS
    points = [metadata.EntryPoint(name, "mine", group) for name in ("theirs", "bbm_minimal")]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: points)  # noqa: ARG005
    discovery.entry_points.cache_clear()
    monkeypatch.delitem(sys.modules, "mine", raising=False)


@pytest.mark.usefixtures("entry")
def test_entry_points_bring_scenarios() -> None:
    try:
        assert discovery.find("theirs::no_tlbi").twin_of == "theirs::good"
        assert {"theirs": "mine"} == discovery.entry_points()
        assert "no_tlbi" not in {s.name for s in discovery.select(["bbm_minimal"])}
    finally:
        discovery.entry_points.cache_clear()


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("bbm_minimal::god", "did you mean bbm_minimal::good?"),
        ("bbm_minimal::no_inv", "did you mean bbm_minimal::no_invalidation?"),
        ("bbm::good", "did you mean bbm_minimal::good?"),
        ("bbm_minimal:good", "did you mean bbm_minimal::good?"),
        ("linear_map_spilt", "did you mean linear_map_split?"),
        ("zzz::qqq", "simbbm list names them"),
    ],
)
def test_unknown_id_suggests_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(UsageError) as raised:
        discovery.select([wrong])

    assert (f"unknown scenario {wrong}", nearest) == (raised.value.message, raised.value.hint)


@pytest.mark.parametrize("whole", ["bbm_minimal", "never_run.py"])
def test_a_file_is_not_one_scenario(whole: str) -> None:
    with pytest.raises(UsageError, match=f"^{whole} holds scenarios") as raised:
        discovery.find(whole)

    assert f"write {whole}::NAME; simbbm list {whole} shows which there are" == raised.value.hint


def test_unknown_name_in_a_users_file_suggests_the_nearest(mine: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean .*mine\.py::no_tlbi\?"):
        discovery.find(f"{mine}::no_tlb")


def test_a_file_without_its_suffix_is_recognised(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent)

    with pytest.raises(UsageError, match=r"with its \.py: mine\.py"):
        discovery.find("mine::good")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("import nowhere\n", ScenarioError, "{}:1: ModuleNotFoundError: No module named 'nowhere'"),
        ("def f():\n    return {}['k']\n\nf()\n", ScenarioError, "{}:2: KeyError: 'k'"),
        ("x = 1\ny = (\n", ScenarioError, "{}:2: SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)\n", ScenarioError, "{}:1: SystemExit: 3"),
        ("import json\njson.loads('{')\n", ScenarioError, "{}:2: JSONDecodeError: "),
        ("x = 1\n", UsageError, "{} has no scenarios"),
        (
            "from simbbm_scenarios.bbm_minimal import *\n\nt = good.twin('', expect='HOLDS', n=3)",
            ScenarioError,
            "{}:3: twin: no parameter n",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded_says_where(
    tmp_path: Path, text: str, error: type[SimbbmError], message: str
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(text)

    with pytest.raises(error) as raised:
        discovery.select([str(file)])

    assert raised.value.message.startswith(message.format(file))


def test_a_missing_file_or_folder_is_named() -> None:
    with pytest.raises(UsageError, match=r"there is no file no\.py"):
        discovery.find("no.py::good")
    with pytest.raises(UsageError, match="there is no file or folder no/where"):
        discovery.select(["no/where"])
    with pytest.raises(UsageError, match="stem::name"):
        discovery.find("nothing")


def test_loading_leaves_no_bytecode_beside_a_users_file(mine: Path) -> None:
    discovery.select([str(mine)])

    assert [p.name for p in mine.parent.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    "value",
    [
        "time.perf_counter_ns()",
        "(1, random.random())",
        "MappingProxyType({1: random.randint(1, 10**9)})",
        "f'{time.perf_counter_ns()}'",
        "frozenset((time.perf_counter_ns(),))",
    ],
)
def test_a_constant_that_is_another_one_each_time_is_refused(mine: Path, value: str) -> None:
    """In every process that loads the file its programs would be others."""
    imports = "import random\nimport time\nfrom types import MappingProxyType\n"
    text = imports + mine.read_text().replace("WORDS = ", f"SEED = {value}\nWORDS = ")
    mine.write_text(text)

    assert discovery.select([str(mine)])  # nobody looks at it

    line = text.replace("cpu.ldr(X)", "cpu.ldr(X) in (SEED,)", 1)
    other = mine.with_name("other.py")
    other.write_text(line)
    at = line.splitlines().index("    await cpu.ldr(X) in (SEED,)") + 1
    with pytest.raises(ScenarioError, match=f"other.py:{at}: reader looks at SEED, which is anoth"):
        discovery.select([str(other)])


def test_a_name_in_another_directory_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes the directory means the file that is there."""
    text = "from simbbm_scenarios.bbm_minimal import good\nown = good.twin('x', expect='{}')\n"
    for expect in ("HOLDS", "STUCK:terminates"):
        folder = tmp_path / expect[:5]
        folder.mkdir()
        (folder / "mine.py").write_text(text.format(expect))
        monkeypatch.chdir(folder)
        assert str(discovery.find("mine.py::own").expect) == expect
