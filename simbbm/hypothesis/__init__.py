"""Property tests that search over scenarios, while simbbm searches over schedules.

Hypothesis draws what a scenario is made of and shrinks it; `must_hold` visits every schedule of
what was drawn, and shows the nearest that fails. Read `strategies` first: `features`, `layouts`,
`programs` and `interference` are values for parameters and arguments. `systems` is whole machines
as data (`drawn` draws them), `interpreter` the program that runs drawn steps, and `holds` the
assertion.

    pip install 'simbbm[hypothesis]'
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("hypothesis") is None:
    raise ModuleNotFoundError(
        "simbbm.hypothesis needs Hypothesis: pip install 'simbbm[hypothesis]'", name="hypothesis"
    )

from simbbm.hypothesis.drawn import systems
from simbbm.hypothesis.holds import DoesNotHoldError, must_hold
from simbbm.hypothesis.interpreter import Step, Steps, program
from simbbm.hypothesis.strategies import features, interference, layouts, programs
from simbbm.hypothesis.systems import Member, System, shown

__all__ = [
    "DoesNotHoldError",
    "Member",
    "Step",
    "Steps",
    "System",
    "features",
    "interference",
    "layouts",
    "must_hold",
    "program",
    "programs",
    "shown",
    "systems",
]
