"""What every test shares: how Hypothesis behaves, and where published litmus rows are."""

import gc
import os

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

gc.set_threshold(
    100_000
)  # as the command line does: machines are large, and nearly all of it stays

# The same commit must give the same answer, and a loaded machine is no failure.
# `--hypothesis-profile=search` draws new examples each time and keeps what it finds.
settings.register_profile("default-here", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("default-here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--litmus FILE`: published litmus rows, which stay outside of the repository."""
    parser.addoption("--litmus", metavar="FILE", help="published litmus rows (or SIMBBM_LITMUS)")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the tests, in worker processes too."""
    if config.getoption("--litmus"):
        os.environ["SIMBBM_LITMUS"] = config.getoption("--litmus")
