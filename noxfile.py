"""The chores. `nox` runs the fast ones, `nox -l` lists all, `nox -s tests -- -k tlb` passes on."""

import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "layers", "tests"]
# A Python that is not here is named as skipped, on a CI machine too, and nothing is downloaded.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
ROOT = Path(__file__).parent


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; quality and bench are sessions of their own."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Check types, and that no step is forgotten un-awaited, with mypy."""
    session.install("-e", ".[dev]")
    session.run("mypy", *session.posargs)


@nox.session
def layers(session: nox.Session) -> None:
    """Check that imports point down only."""
    session.install("-e", ".[dev]")
    session.run("lint-imports", *session.posargs)


@nox.session
def scenarios(session: nox.Session) -> None:
    """Check every scenario that is shipped, and every bad twin, against its expectation."""
    session.install("-e", ".")
    session.run("simbbm", "check", "--all", *session.posargs)


@nox.session
def kernels(session: nox.Session) -> None:
    """Download Debian's arm64 kernels through apt, and execute the split of each."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "tests.quality.kernels", *session.posargs)


@nox.session
def quality(session: nox.Session) -> None:
    """Run what takes long: 100,000-run campaigns, every state, real geometries; print figures."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "-m", "quality", "-n0", "-s", *session.posargs)


@nox.session
def differential(session: nox.Session) -> None:
    """Hold searches against brute force on random systems: `-- --seconds 1800 --seed 7 -j 2`."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "tests.differential.run", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed everything that reads with what nobody should write: `-- --inputs 200k --seed 1`."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "tests.faults.fuzz_readers", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill processes of campaigns at random, and see that nothing is lost: `-- --kills 200`."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "tests.faults.killing", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Step through pages in a real browser; say what is missing (Debian's chromium, its driver)."""
    session.install("-e", ".[dev,browser]")
    session.run("python", "-m", "pytest", "tests/browser", "-n0", "-rs", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed: each tests/bench/bench_*.py."""
    session.install("-e", ".")
    for script in sorted((ROOT / "tests" / "bench").glob("bench_*.py")):
        session.run("python", str(script), *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel, and see that it works away from the checkout, scenarios included."""
    backend = nox.project.load_toml(ROOT / "pyproject.toml")["build-system"]["requires"]
    session.install(*backend)
    for old in (ROOT / "dist").glob("simbbm-*"):
        old.unlink()
    session.run("hatchling", "build", "-d", str(ROOT / "dist"), *session.posargs)
    (wheel,) = (ROOT / "dist").glob("simbbm-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    wanted = {f"simbbm_scenarios/{path.name}" for path in (ROOT / "scenarios").glob("*/*.py")}
    assets = ROOT / "simbbm" / "report" / "html" / "assets"
    wanted |= {f"simbbm/report/html/assets/{path.name}" for path in assets.iterdir()}
    wanted |= {"simbbm/py.typed", "simbbm_scenarios/__init__.py", "simbbm_scenarios/py.typed"}
    if missing := wanted - set(names):
        session.error(f"not in the wheel: {', '.join(sorted(missing))}")
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    if more := tops - {"simbbm", "simbbm_scenarios"}:
        session.error(f"the wheel installs more than simbbm: {', '.join(sorted(more))}")
    session.install("--force-reinstall", str(wheel))
    session.chdir(session.create_tmp())
    session.run("python", "-c", "from simbbm_scenarios.linear_map_split import good")
    listed = session.run("simbbm", "list", "--json", silent=True) or ""
    if "linear_map_split::good" not in listed:
        session.error("the installed package does not find the shipped scenarios")
