"""Style as a test: what a linter does not look for. Every check here is also shown to fail."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LINES_PER_FILE_MAX = 400
LINES_PER_FUNCTION_MAX = 70
MOST_IN_A_ROOM = 15

# Scenarios are programs: they may use the model and nothing that searches, reports or draws.
ABOVE_SCENARIOS = {"campaign", "cli", "explore", "litmus", "pytest_plugin", "report"}
NOT_DETERMINISTIC = {"asyncio", "datetime", "random", "secrets", "simpy", "time", "uuid"}

MACHINE_PATH = re.compile(
    r"(?:(?<![\w./$}~-])|file://)/(?:home|media|mnt|opt|root|srv|tmp|Users|var|work)/[\w.]"
    r"|\b[A-Z]:\\{1,2}(?:Users|Windows|Program)"
)
TEXT_FILES = {"", ".cfg", ".ini", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


def python_files(*folders: str) -> Iterator[Path]:
    """The Python files of these folders of the checkout, in order."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def text_files() -> Iterator[Path]:
    """What is written by hand: the folders of the checkout and the files at its top."""
    tops = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    below = [p for f in ("simbbm", "scenarios", "tests", ".ci") for p in (ROOT / f).rglob("*")]
    for path in sorted(tops + below):
        if path.is_file() and path.suffix in TEXT_FILES and "__pycache__" not in path.parts:
            yield path


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, nested ones and methods too."""
    return (node for node in ast.walk(tree) if isinstance(node, type_of_function))


# What is looked for. Each takes a file's text and says what is wrong with it.


def missing_docstring(text: str) -> Iterator[str]:
    """A module says what it is for."""
    if not (ast.get_docstring(ast.parse(text)) or "").strip():
        yield "1: no module docstring"


def long_file(text: str) -> Iterator[str]:
    """A file can be read in one sitting."""
    count = len(text.splitlines())
    if count > LINES_PER_FILE_MAX:
        yield f"{count}: more than {LINES_PER_FILE_MAX} lines"


def long_function(text: str) -> Iterator[str]:
    """A function fits on a screen."""
    for function in functions(ast.parse(text)):
        count = (function.end_lineno or function.lineno) - function.lineno + 1
        if count > LINES_PER_FUNCTION_MAX:
            yield f"{function.lineno}: {function.name} has {count} lines"


def machine_path(text: str) -> Iterator[str]:
    """Nothing depends on where somebody keeps files."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := MACHINE_PATH.search(line):
            yield f"{number}: a path of one machine: {found[0]}..."


def empty_test(text: str) -> Iterator[str]:
    """A test can fail."""
    for function in functions(ast.parse(text)):
        if function.name.startswith("test") and not any(map(can_fail, ast.walk(function))):
            yield f"{function.lineno}: {function.name} asserts nothing"


def can_fail(node: ast.AST) -> bool:
    """Whether this is an assertion about something, or a call of a helper that makes one."""
    if isinstance(node, ast.Assert):
        # Without a name or a call it is about nothing; a tuple with a message in it is always true.
        about = any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node.test))
        return about and not isinstance(node.test, ast.Tuple)
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    name = called.rpartition(".")[2]
    return name.startswith(("check_", "assert_")) or called in {
        "pytest.fail",
        "pytest.raises",
        "pytest.warns",
    }


def scenario_import(text: str) -> Iterator[str]:
    """A scenario knows the model, and nothing above it or beside it."""
    for line, name in imports(text, "scenarios.one"):
        parts = name.split(".")
        above = parts[0] == "simbbm" and len(parts) > 1 and parts[1] in ABOVE_SCENARIOS
        if above or parts[0] in NOT_DETERMINISTIC:
            yield f"{line}: a scenario imports {name}"


def imports(text: str, module: str, *, package: bool = False) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that `module` imports, wherever in it; also what it names.

    `from a import b` gives `a` and `a.b`, since b may be a module. A string constant that is a
    dotted name of ours counts as well: commands are loaded by name when they are asked for.
    """
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=named, names=names, level=level):
                base = module.split(".")[: -level + package or None] if level else []
                above = ".".join([*base, *filter(None, [named])])
                yield node.lineno, above
                yield from ((node.lineno, f"{above}.{alias.name}") for alias in names)
            case ast.Constant(value=str(value)) if re.fullmatch(r"simbbm(\.\w+)+(:\w+)?", value):
                yield node.lineno, value.partition(":")[0]


def dead_modules(sources: dict[str, str], roots: set[str], packages: set[str]) -> set[str]:
    """Modules that nothing leads to, from the entry points on. Importing a.b imports a too."""
    live: set[str] = set()
    waiting = roots & set(sources)
    while waiting:
        name = waiting.pop()
        live.add(name)
        met = {found for _, found in imports(sources[name], name, package=name in packages)}
        for parts in (found.split(".") for found in met | {name}):
            waiting |= {".".join(parts[: n + 1]) for n in range(len(parts))}
        waiting = (waiting & set(sources)) - live
    return set(sources) - live


def entry_points(project: dict[str, Any]) -> set[str]:
    """The modules that pyproject.toml names."""
    groups = [project.get("scripts", {}), *project.get("entry-points", {}).values()]
    return {target.partition(":")[0] for group in groups for target in group.values()}


# The checkout.


@pytest.mark.parametrize(
    ("check", "folders"),
    [
        (missing_docstring, ("simbbm", "scenarios", "tests")),
        (long_file, ("simbbm", "scenarios", "tests")),
        (long_function, ("simbbm", "scenarios", "tests")),
        (empty_test, ("tests",)),
        (scenario_import, ("scenarios",)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_source_is_tidy(check: Callable[[str], Iterator[str]], folders: tuple[str, ...]) -> None:
    complaints = [
        f"{path.relative_to(ROOT)}:{complaint}"
        for path in python_files(*folders)
        for complaint in check(path.read_text(encoding="utf-8"))
    ]

    assert not complaints, "\n" + "\n".join(complaints)


def crowded(root: Path) -> Iterator[str]:
    """Rooms with more files and rooms in them than one can take in at a glance."""
    for room in sorted(path.parent for path in root.rglob("__init__.py") if path.parent != root):
        inside = [*room.glob("[!_]*.py"), *(path.parent for path in room.glob("*/__init__.py"))]
        if len(inside) > MOST_IN_A_ROOM:
            yield f"{room.relative_to(root)}: {len(inside)} files and rooms"


def test_no_room_is_crowded() -> None:
    assert [] == list(crowded(ROOT / "simbbm"))


def test_a_crowded_room_is_found(tmp_path: Path) -> None:
    room = tmp_path / "top" / "room"
    for n in range(MOST_IN_A_ROOM + 1):
        (room / f"room{n}").mkdir(parents=True)
        (room / f"room{n}" / "__init__.py").touch()
    (room / "__init__.py").touch()

    assert ["room: 16 files and rooms"] == list(crowded(tmp_path / "top"))


def test_no_file_names_a_path_of_one_machine() -> None:
    complaints = [
        f"{path.relative_to(ROOT)}:{complaint}"
        for path in text_files()
        for complaint in machine_path(path.read_text(encoding="utf-8"))
    ]

    assert not complaints, "\n" + "\n".join(complaints)


def test_no_module_is_dead() -> None:
    sources, packages = {}, set()
    for path in python_files("simbbm", "scenarios"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name.endswith(".__init__"):
            name = name.removesuffix(".__init__")
            packages.add(name)
        sources[name] = path.read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    roots = entry_points(project) | {name for name in sources if name.startswith("scenarios.")}

    # What users import, and nothing of ours needs.
    offered = {"simbbm", "simbbm.__main__", "simbbm.hypothesis"}
    dead = dead_modules(sources, roots | offered, packages)

    assert not dead, f"nothing leads to {sorted(dead)}"


def test_imports_point_down_only() -> None:
    main = "from importlinter.cli import lint_imports_command as main; main()"
    linter = [sys.executable, "-c", main, "--no-cache"]
    run = subprocess.run(linter, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


# The checks.


def test_missing_docstring_is_found() -> None:
    assert [*missing_docstring("x = 1\n")]
    assert [*missing_docstring('""" """\n')]
    assert not [*missing_docstring('"""What it is for."""\n')]


def test_long_file_is_found() -> None:
    assert [*long_file("x = 1\n" * (LINES_PER_FILE_MAX + 1))]
    assert not [*long_file("x = 1\n" * LINES_PER_FILE_MAX)]


@pytest.mark.parametrize("head", ["def f():", "async def f():", "class C:\n  def f(self):"])
def test_long_function_is_found(head: str) -> None:
    assert [*long_function(head + "\n    x = 1" * LINES_PER_FUNCTION_MAX)]
    assert not [*long_function(head + "\n    x = 1" * (LINES_PER_FUNCTION_MAX - 1))]


@pytest.mark.parametrize("top", ["home", "root", "tmp", "Users", "opt"])
def test_machine_path_is_found(top: str) -> None:
    assert [*machine_path(f'x = "/{top}/somebody"')]
    assert [*machine_path(f"see /{top}/somebody")]
    assert [*machine_path(f"file:///{top}/somebody")]
    assert not [*machine_path(f"https://example.org/{top}/page")]
    assert not [*machine_path(f"arch/arm64/{top}/mmu.c and tests/{top}/x.py")]


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "assert True",
        "assert 1 == 1, 'why'",
        "assert (x, 'why')",
        "run()",
        "'only a docstring'",
    ],
)
def test_empty_test_is_found(body: str) -> None:
    assert [*empty_test(f"def test_x():\n    {body}\n")]
    assert [*empty_test(f"class TestX:\n    async def test_x(self):\n        {body}\n")]


@pytest.mark.parametrize(
    "body",
    ["assert x == 1", "check_step(x)", "tlb.assert_empty()", "with pytest.raises(E):\n        f()"],
)
def test_test_that_can_fail_is_left_alone(body: str) -> None:
    assert not [*empty_test(f"def test_x():\n    {body}\n")]


@pytest.mark.parametrize(
    "line",
    [
        "import simbbm.explore.strategies.pct",
        "from simbbm import explore",
        "from simbbm.report import html",
        "def f():\n    import random",
        "from time import monotonic",
    ],
)
def test_scenario_import_is_found(line: str) -> None:
    assert [*scenario_import(line)]
    assert not [*scenario_import("from simbbm.linux.pgtable import set_pmd\nimport dataclasses")]


def test_dead_module_is_found() -> None:
    sources = {
        "simbbm": "",
        "simbbm.cli": "LAZY = 'simbbm.late:main'",
        "simbbm.late": "from . import core",
        "simbbm.core": "from .used import x",
        "simbbm.core.used": "",
        "simbbm.core.unused": "import simbbm.core.also",
        "simbbm.core.also": "import simbbm.core.unused",
    }
    dead = dead_modules(sources, {"simbbm.cli"}, {"simbbm", "simbbm.core"})

    assert {"simbbm.core.unused", "simbbm.core.also"} == dead


def test_entry_points_are_read() -> None:
    project = {
        "scripts": {"simbbm": "simbbm.cli:main"},
        "entry-points": {"pytest11": {"simbbm": "simbbm.pytest_plugin"}},
    }

    assert {"simbbm.cli", "simbbm.pytest_plugin"} == entry_points(project)
