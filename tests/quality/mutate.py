"""Does the suite notice? Conditions are flipped or dropped one at a time, and tests are run.

    python tests/quality/mutate.py --seed 1 --places 60 [-j 2] [FILE ...]

A place is a condition in the syntax tree: what an `if`, a `while` or a comprehension asks, an
operand of `and` and `or`, a comparison, a `not`, a bound of a slice. Of all places in the files a
sample is drawn, for each one mutation, and the tests that should notice are run in a copy of the
checkout, the quick ones first, to the first failure. A mutation that makes tests hang is noticed.
Exits with 1 if more than one in twenty was not noticed; each of those needs an argument for being
equivalent, or a test.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
NEEDED = (
    *("simbbm", "scenarios", "tests"),
    *("pyproject.toml", "README.md", "LICENSE", "noxfile.py"),
)
SECONDS = 400
"""Of a processor, for a run of tests; one that needs more hangs."""
KIBIBYTES = 4 << 20
"""Memory for a run of tests: of what goes round for ever, some fills it."""

REDUCTIONS = (
    "tests/explore/test_ample.py",
    "tests/explore/test_ample_cost.py",
    "tests/explore/test_standing.py",
    "tests/explore/test_persistent_sets.py",
    "tests/explore/test_reductions.py",
    "tests/differential",
)
ROUNDS = (
    "tests/explore/test_digraph.py",
    "tests/explore/test_fairness.py",
    "tests/explore/test_into_rounds.py",
    "tests/explore/test_rounds.py",
    "tests/explore/test_livelock.py",
    "tests/explore/test_loops.py",
    "tests/explore/test_random_loops.py",
    "tests/differential",
)
TESTS: dict[str, tuple[str, ...]] = {
    "simbbm/explore/search/reductions/persistent_sets.py": REDUCTIONS,
    "simbbm/explore/search/reductions/standing.py": (
        "tests/explore/test_invalidations.py",
        *REDUCTIONS,
    ),
    "simbbm/explore/search/reductions/invalidations.py": (
        "tests/explore/test_invalidations.py",
        "tests/differential",
    ),
    "simbbm/arm64/rows.py": (
        "tests/explore/test_rows.py",
        "tests/explore/test_states_kept.py",
        *REDUCTIONS,
    ),
    "simbbm/explore/search/breadth_first.py": (
        "tests/explore/test_kept_graph.py",
        "tests/explore/test_states_kept.py",
    ),
    "simbbm/explore/search/reductions/symmetry.py": (
        "tests/explore/test_symmetry.py",
        "tests/explore/test_standing.py",
        "tests/explore/test_states_kept.py",
        *REDUCTIONS,
    ),
    "simbbm/arm64/footprints.py": (
        "tests/arm64/test_footprints.py",
        *REDUCTIONS,
        "tests/arm64/test_hardware.py",
    ),
    "simbbm/explore/search/livelock.py": ROUNDS,
    "simbbm/explore/search/fairness.py": ROUNDS,
    "simbbm/explore/search/digraph.py": ROUNDS,
    "simbbm/arm64/translation/tlbi_completion.py": (
        "tests/arm64/test_tlbi_completion.py",
        "tests/arm64/test_erratum.py",
        "tests/arm64/test_rules_tlbi.py",
        "tests/litmus/test_rows.py",
    ),
    "simbbm/check/properties.py": ("tests/check",),
}
"""Which tests should notice a change of a file, the quick ones first."""

SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Mutation(NamedTuple):
    """One change of one place."""

    file: str
    line: int
    before: str
    after: str
    text: str
    """The whole file with it."""


def places(file: str, text: str) -> list[list[Mutation]]:
    """Every condition of a file, with all its mutations."""
    found: dict[tuple[int, int, int, int], list[Mutation]] = {}
    for node, others in _conditions(ast.parse(text)):
        where = _span(node)
        for other in others:
            new = ast.unparse(other)
            changed = _spliced(text, where, new if isinstance(other, ast.Slice) else f"({new})")
            mutation = Mutation(file, where[0], ast.unparse(node), new, changed)
            found.setdefault(where, []).append(mutation)
    return list(found.values())


def _span(node: ast.expr) -> tuple[int, int, int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _spliced(text: str, where: tuple[int, int, int, int], new: str) -> str:
    """The text with something else in one place; columns are of UTF-8."""
    first, start, last, end = where
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    head, tail = lines[first - 1][:start], lines[last - 1][end:]
    lines[first - 1 : last] = [head + new.encode() + tail]
    return b"".join(lines).decode()


def _conditions(tree: ast.AST) -> Iterator[tuple[ast.expr, list[ast.expr]]]:
    """Conditions, each with what stands in its place."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield test, _asked(test)
            case ast.comprehension(ifs=ifs):
                yield from ((test, _asked(test)) for test in ifs)
            case ast.BoolOp(op=op, values=values):
                yield node, [_without(op, values, i) for i in range(len(values))]
            case ast.Compare(left=left, ops=ops, comparators=right):
                yield (
                    node,
                    [
                        ast.Compare(left, [*ops[:i], SWAPPED[type(op)](), *ops[i + 1 :]], right)
                        for i, op in enumerate(ops)
                    ],
                )
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield node, [operand]
            case ast.Subscript(slice=ast.Slice() as bounds):
                yield bounds, _bounds(bounds)


def _asked(test: ast.expr) -> list[ast.expr]:
    return [ast.UnaryOp(ast.Not(), test), ast.Constant(value=True), ast.Constant(value=False)]


def _without(op: ast.boolop, values: list[ast.expr], i: int) -> ast.expr:
    left = values[:i] + values[i + 1 :]
    return left[0] if len(left) == 1 else ast.BoolOp(op, left)


def _bounds(bounds: ast.Slice) -> list[ast.expr]:
    """Without either bound, and with a bound where there is none."""
    lower, upper, step = bounds.lower, bounds.upper, bounds.step
    others: list[ast.expr] = []
    if lower is not None:
        others.append(ast.Slice(None, upper, step))
    if upper is not None:
        others.append(ast.Slice(lower, None, step))
    elif lower is not None:
        others.append(ast.Slice(lower, ast.BinOp(lower, ast.Add(), ast.Constant(value=1)), step))
    return others


def is_noticed(mutation: Mutation, copy: Path) -> bool:
    """Whether a test fails with it."""
    path = copy / mutation.file
    before = path.read_text(encoding="utf-8")
    path.write_text(mutation.text, encoding="utf-8")
    try:
        return _run(copy, TESTS[mutation.file]).returncode != 0
    finally:
        path.write_text(before, encoding="utf-8")


def _run(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    options = ("-x", "-q", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly")
    pytest = (sys.executable, "-m", "pytest", *options, *tests)
    limits = f"ulimit -t {SECONDS} && ulimit -v {KIBIBYTES}"
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        ["sh", "-c", f'{limits} && exec "$@"', "sh", *pytest],
        cwd=copy,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )


def copied(folder: Path) -> Path:
    """A copy of what tests need, so that the checkout is never changed."""
    folder.mkdir()
    for name in NEEDED:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore, symlinks=True)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def main() -> int:
    """Draw a sample, run the tests for each, print what became of it."""
    parser = argparse.ArgumentParser(description="Flip or drop conditions; see that tests notice.")
    parser.add_argument("files", nargs="*", default=list(TESTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--places", type=int, default=60)
    parser.add_argument("-j", type=int, default=1)
    given = parser.parse_args()
    tape = random.Random(given.seed)
    every = [p for f in given.files for p in places(f, (ROOT / f).read_text(encoding="utf-8"))]
    sample = [tape.choice(place) for place in tape.sample(every, min(given.places, len(every)))]
    unnoticed = 0
    with TemporaryDirectory() as folder, ThreadPoolExecutor(given.j) as pool:
        copies = SimpleQueue[Path]()
        for i in range(given.j):
            copies.put(copied(Path(folder) / str(i)))

        def run(mutation: Mutation) -> bool:
            copy = copies.get()
            try:
                return is_noticed(mutation, copy)
            finally:
                copies.put(copy)

        needed = dict.fromkeys(test for mutation in sample for test in TESTS[mutation.file])
        unchanged = _run(copied(Path(folder) / "unchanged"), tuple(needed))
        if unchanged.returncode != 0:
            sys.exit(f"{unchanged.stdout}the tests fail without any mutation")
        for mutation, noticed in zip(sample, pool.map(run, sample), strict=True):
            unnoticed += not noticed
            said = "noticed  " if noticed else "UNNOTICED"
            place = f"{mutation.file}:{mutation.line}"
            sys.stdout.write(f"{said} {place}: {mutation.before} -> {mutation.after}\n")
            sys.stdout.flush()
    sys.stdout.write(
        f"{len(sample) - unnoticed} of {len(sample)} noticed, of {len(every)} places\n"
    )
    return unnoticed * 20 > len(sample)


if __name__ == "__main__":
    sys.exit(main())
