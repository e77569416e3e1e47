"""What every test shares: how Hypothesis behaves."""

from hypothesis import settings

# The same commit must give the same answer, and a loaded machine is no failure.
# `--hypothesis-profile=search` draws new examples each time and keeps what it finds.
settings.register_profile("default-here", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("default-here")
