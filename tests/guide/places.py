"""Where files and functions are that pages name: by room, whichever folder of it has them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATHS = re.compile(r"`((?:\w+/)+[\w.]*)(?::(\w+))?`")
STEP = re.compile(r"/\w+\.(?!py$|md$|jsonl$)\w")
"""In a path's place: the label of a step, by its callers and its mnemonic."""
KERNEL = re.compile(r"\b([\w-]+\.[chS]):(\w+)")


def files(path: str) -> list[Path]:
    """Files and folders of this path, that may lie in a folder of the room that it names."""
    exact = [place / path for place in (ROOT, ROOT / "simbbm") if (place / path).exists()]
    if exact or not path.endswith(".py"):
        return exact
    room, _, rest = path.removeprefix("simbbm/").partition("/")
    return [found for found in (ROOT / "simbbm" / room).rglob(rest) if found.is_file()]


@cache
def names(path: Path) -> set[str]:
    """What a module defines: functions, classes, their methods, and what is assigned."""
    defined: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return defined


def missing(page: str) -> list[str]:
    """Files, and functions in them, that a page names and that are not there."""
    lost = []
    for path, name in PATHS.findall(page):
        if STEP.search(path):
            continue
        found = files(path)
        if not found or (name and not any(name in names(file) for file in found)):
            lost.append(f"{path}:{name}" if name else path)
    return lost


@cache
def kernel_functions() -> set[tuple[str, str]]:
    """File and function of the kernel, as the model's code says what it stands for."""
    texts = [p.read_text() for f in ("simbbm/linux", "scenarios") for p in (ROOT / f).rglob("*.py")]
    return {named for text in texts for named in KERNEL.findall(text)}
