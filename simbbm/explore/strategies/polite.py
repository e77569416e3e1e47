"""The polite strategy: the default schedule, which witnesses record their differences from."""

from __future__ import annotations

from simbbm.core.choice import Chooser, Polite
from simbbm.explore.strategies.profile import Profile


class PoliteStrategy:
    """The strategy `polite`: every run is the same one."""

    name = "polite"
    needs_calibration = False

    def calibrated(self, profile: Profile) -> PoliteStrategy:  # noqa: ARG002 - the protocol's
        """Return the strategy itself: it has no parameters."""
        return self

    def chooser(self, seed: bytes, number: int) -> Chooser:  # noqa: ARG002 - the protocol's
        """A polite run."""
        return Polite()
