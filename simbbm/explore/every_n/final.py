"""What is promised of the end, in views in which every program has finished."""

from __future__ import annotations

from simbbm.arm64.state import Machine
from simbbm.arm64.translation.memory import Memory, Unreadable
from simbbm.core.system import Problem
from simbbm.explore.every_n.abstraction import FIRST
from simbbm.explore.every_n.views import Views


def final_problem(views: Views) -> Problem | None:
    """What is wrong in a view of the end; properties judge CPUs one at a time, and tables."""
    abstraction, parts = views.abstraction, views.parts
    for shared, known in enumerate(views.of):
        part = parts.shared[shared]
        if not part.boot.cpu.finished:
            continue
        memory = Memory(part.memory.tables, Unreadable())
        for members in known:
            others = [parts.locals[m].cpu for m in members]
            if not all(cpu.finished for cpu in others):
                continue
            seated = (abstraction.numbered(cpu, FIRST + n, FIRST) for n, cpu in enumerate(others))
            state = Machine(memory, (part.boot.cpu, *seated))
            if problem := abstraction.system.final_problem(state):
                return problem
    return None
