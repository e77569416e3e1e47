"""How long a scenario's runs are and how many agents they have: what PCT has to know first."""

from __future__ import annotations

from typing import NamedTuple


class Calibration(NamedTuple):
    """What a few runs showed: PCT's k and a lower limit of its n."""

    steps: int
    agents: int
