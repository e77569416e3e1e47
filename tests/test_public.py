"""`import simbbm`: what its page of the guide lists, explained, typed, and quick to import."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import simbbm
from simbbm import discovery, library, public
from simbbm.check.catalogue import CATALOGUE
from simbbm.core.choice import Chooser
from simbbm.core.engine import Engine, RunEnd
from simbbm.core.errors import ScenarioError, UsageError
from simbbm.library import Answer

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "simbbm/guide/python.md").read_text()
EVERY = sorted(public.__all__ + library.__all__)
VERBS = ("check", "explore", "stress", "run", "replay", "shrink", "show")


def readme_section() -> str:
    """The part of the page that is about the library."""
    found = re.search(r"^## As a library$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def readme_program() -> str:
    """The program in it."""
    found = re.search(r"<!-- library -->\n```python\n(.*?)```", readme_section(), re.DOTALL)
    assert found
    return found[1]


def in_fresh_python(*lines: str, cwd: Path = ROOT) -> str:
    """What a program prints that has its own process."""
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documented_constants() -> set[str]:
    """Names in the modules that `public` takes them from that are assigned and then explained."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(public))):
        if not (isinstance(node, ast.ImportFrom) and node.module):
            continue
        body = ast.parse(inspect.getsource(import_module(node.module))).body
        for one, following in zip(body, [*body[1:], None], strict=True):
            match one, following:
                case ast.Assign(targets=[target]), ast.Expr(value=ast.Constant(value=str())):
                    found |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def test_readme_lists_what_is_offered() -> None:
    table = [line.split("|")[1] for line in readme_section().splitlines() if line[:3] == "| `"]
    listed = [name for cell in table for name in re.findall(r"`(\w+)`", cell)]

    offered = in_fresh_python("import simbbm; print(*simbbm.__all__)").split()

    assert sorted(listed) == EVERY == offered
    assert set(EVERY) <= set(dir(simbbm))


@pytest.mark.parametrize("name", EVERY)
def test_every_name_explains_itself(name: str) -> None:
    value: Any = getattr(simbbm, name)
    if not (inspect.isroutine(value) or isinstance(value, type)):
        assert name in CATALOGUE or name in documented_constants()
        return
    text = inspect.getdoc(value) or ""
    assert len(text.split()) >= 5
    if inspect.isroutine(value):
        left = [p for p in inspect.signature(value).parameters if f"`{p}" not in text]

        assert not [p for p in left if f"`*{p}" not in text and f"({p}" not in text]
    if name in VERBS:
        assert "Raises" in text


def other_imports(text: str) -> set[str]:
    """Modules of ours from which a file takes what is not public."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    own = {node.module or "" for node in nodes if not node.level}
    return {
        module
        for module in own
        if module.startswith("simbbm.") and not f"{module}.".startswith("simbbm.linux.")
    }


def test_shipped_scenarios_and_the_template_use_what_is_public() -> None:
    files = [*(ROOT / "scenarios").rglob("*.py"), ROOT / "simbbm" / "cli" / "template.py"]

    assert {} == {f.name: found for f in files if (found := other_imports(f.read_text()))}
    assert {"simbbm.arm64.ops"} == other_imports("from simbbm.arm64.ops import Cpu")
    assert len(files) > 20


def test_a_module_never_takes_the_place_of_a_function() -> None:
    """`check`, `explore` and `scenario` are folders or files of the package as well."""
    printed = in_fresh_python(
        "import simbbm.check.given, simbbm.explore.runs.run, simbbm.scenario",
        "import simbbm",
        "from simbbm import check, discovery, explore, scenario",
        "print(*(type(f).__name__ for f in (check, explore, scenario, simbbm.explore)))",
        "print(discovery.__name__, simbbm.scenario is scenario)",
    )

    assert ["function"] * 4 + ["simbbm.discovery", "True"] == printed.split()


def test_importing_loads_nothing_yet() -> None:
    printed = in_fresh_python(
        "import sys, simbbm",
        "print(simbbm.__version__, [m for m in sys.modules if m.startswith('simbbm.')])",
        "simbbm.leaf",
        "print(*(name in sys.modules for name in ('simpy', 'asyncio', 'msgspec')))",
    )

    assert f"{simbbm.__version__} []\nFalse False False\n" == printed


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lef'"):
        _ = simbbm.lef  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        exec("from simbbm import lef")


def mypy(*files: Path) -> str:
    """What mypy says of a user's files, in its strictest."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", *map(str, files)]
    done = subprocess.run(command, cwd=files[0].parent, capture_output=True, text=True, check=False)
    return done.stdout


def test_users_files_are_type_checked(tmp_path: Path) -> None:
    """README's program, which uses every verb, and the template; one that is wrong, too."""
    program = tmp_path / "program.py"
    program.write_text(readme_program())
    mine = Path(shutil.copy(ROOT / "simbbm" / "cli" / "template.py", tmp_path / "mine.py"))
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import simbbm\nfrom simbbm import lef\n\n"
        "simbbm.leaf('x')\n"
        "simbbm.explore('x').details.runs\n"
    )
    said = mypy(program, mine, wrong)

    errors = re.findall(r"^(\w+\.py:\d+): error", said, re.MULTILINE)
    assert ["wrong.py:2", "wrong.py:4", "wrong.py:5"] == errors, said
    assert set(VERBS) <= called_by(program.read_text())


def called_by(text: str) -> set[str]:
    """The plain names that a program calls."""
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


def test_readme_program_runs(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(readme_program())
    printed = in_fresh_python("import program", "program.main()", cwd=tmp_path).splitlines()

    assert [
        "bbm_minimal::good: PROVED",
        "bbm_minimal::live_change: VIOLATED no_size_change_seen",
        "bbm_minimal::good: SAMPLED (100 runs)",
        "bbm_minimal::good: HOLDS",
        "REPRODUCED 9 steps",
    ] == [re.sub(r" \(\d+ states\)", "", line) for line in printed[:5]]
    assert "VIOLATED no_size_change_seen after 9 steps" in printed
    assert printed[-1].startswith("bbm_minimal::good has no parameter cpus (it has noabort=")
    assert [p.name for p in tmp_path.iterdir() if p.suffix] == ["program.py"]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's scenarios, in the current folder."""
    discovery._user_module.cache_clear()  # a file is run once a process
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(ROOT / "simbbm" / "cli" / "template.py", tmp_path / "mine.py"))


def test_a_scenario_is_known_by_the_module_that_has_it(mine: Path) -> None:
    """Its name, and so its digests, are those of the command line; workers find it."""
    mine.with_name("use.py").write_text(
        "import mine, simbbm\n"
        "if __name__ == '__main__':\n"
        "    answer = simbbm.stress(mine.no_tlbi, runs=2_000, jobs=2)\n"
        "    print(answer.scenario, answer.verdict, answer.expected)\n"
        "    print(simbbm.replay(answer.witness, mine.no_tlbi).result)\n"
        "    print(simbbm.replay(answer.witness, 'mine.py::no_tlbi').result)\n"
    )
    command = [sys.executable, "use.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["mine.py::no_tlbi", "VIOLATED", "True"] + ["REPRODUCED"] * 2


def test_a_shipped_scenario_is_known_however_it_came(mine: Path) -> None:
    module = import_module("simbbm_scenarios.bbm_minimal")

    assert simbbm.run(module.good).scenario == "bbm_minimal::good"
    assert simbbm.run(discovery.find("bbm_minimal::good")).expected is True
    with pytest.raises(UsageError, match=r"a scenario made of bbm_minimal::good has no id"):
        simbbm.run(discovery.find("bbm_minimal::good").twin("M.", expect="HOLDS", drop=["x.isb"]))
    with pytest.raises(UsageError, match="a scenario without an id: Mine"):
        simbbm.run(module.good.twin("Mine.", expect="HOLDS", noabort="all"))


def test_a_file_that_uses_itself_while_it_is_loaded_is_told_how_not_to(mine: Path) -> None:
    mine.write_text(f"{mine.read_text()}\n\nimport simbbm\n\nsimbbm.explore(good)\n")

    with pytest.raises(ScenarioError, match=r"looked for while it is loaded .*__main__"):
        discovery.find("mine.py::good")


def test_what_is_not_finished_is_no_answer() -> None:
    cut: Answer[Any] = simbbm.explore("bbm_minimal::good", max_states=10)
    assert (cut.verdict, cut.expected, cut.witness) == ("INCONCLUSIVE", None, None)

    sampled = simbbm.check("bbm_minimal::good", max_states=10, runs=20, jobs=1)
    assert (sampled.verdict, sampled.expected) == ("SAMPLED", True)
    one = simbbm.run("linear_map_split::m10_no_dsb_after_tlbi", strategy="polite")
    assert (one.verdict, one.expected) == ("HOLDS", None)


def test_an_answer_says_what_kept_it_from_one() -> None:
    """As the command line does, from the same record."""
    cut: Answer[Any] = simbbm.stress("bbm_minimal::good", runs=3, max_steps=2, jobs=1)
    whole: Answer[Any] = simbbm.stress("bbm_minimal::good", runs=3, jobs=1)

    assert ("INCONCLUSIVE", "3 runs reached max_steps=2") == (cut.verdict, cut.message)
    assert "The 3 runs that were looked at met" in whole.message


def test_a_sample_is_no_answer_where_a_proof_is_claimed(mine: Path) -> None:
    """It claims one of its default parameters alone; a failure is an answer however it was met."""
    text = mine.read_text()
    assert '@scenario(expect="HOLDS")' in text
    mine.write_text(text.replace('expect="HOLDS")', 'expect="HOLDS", evidence="proved")', 1))
    few: dict[str, Any] = {"max_states": 2, "runs": 200, "jobs": 1}

    sampled = simbbm.check("mine.py::good", **few)
    assert ("SAMPLED", True, None) == (sampled.verdict, sampled.expected, sampled.passed)
    other = simbbm.check("mine.py::good", {"readers": 2}, **few)
    assert ("SAMPLED", True) == (other.verdict, other.passed)
    assert simbbm.check("mine.py::good").passed is True
    assert simbbm.check("mine.py::no_tlbi", **few).passed is True


def test_a_run_is_played_once(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[Chooser] = []
    run = Engine.run

    def counted(engine: Engine[Any], chooser: Chooser, max_steps: int) -> RunEnd:
        played.append(chooser)
        return run(engine, chooser, max_steps)

    monkeypatch.setattr(Engine, "run", counted)
    answer = simbbm.run("bbm_minimal::live_change", strategy="random", seed=3)

    assert answer.witness is not None
    assert answer.witness.digest == answer.details.digest
    assert "random" == answer.witness.found.strategy  # type: ignore[union-attr]
    assert len(played) == 2, "once, and politely to see that the twin's edit is live"


def test_a_witness_does_not_get_a_users_file_run(mine: Path) -> None:
    witness = simbbm.explore("mine.py::no_tlbi").witness
    assert witness is not None

    with pytest.raises(UsageError, match="that file is a program, and not run unasked"):
        simbbm.replay(witness)
    with pytest.raises(
        UsageError, match=r"a witness of mine.py::no_tlbi, not of bbm_minimal::good"
    ):
        simbbm.replay(witness, "bbm_minimal::good")
    assert simbbm.replay(witness, "mine.py::no_tlbi").result == "REPRODUCED"
