"""Labels of program steps, and the patterns by which edits name them.

`caller/routine.mnemonic#2`: the routines from the outermost to the innermost, the step, and its
number among the steps of that name in its frame.
"""

from __future__ import annotations


def short_label(label: str) -> str:
    """The label of a step in schedules and traces: the two innermost routines, without `#1`."""
    return "/".join(label.split("/")[-2:]).removesuffix("#1")


def matches(pattern: str, label: str) -> bool:
    """Whether an edit's pattern names the step with this label.

    The pattern may leave out leading callers. Where it has no `#n` it names every occurrence, of a
    step as of a routine's call.
    """
    wanted, names = parts(pattern), parts(label)
    return len(wanted) <= len(names) and all(
        part in (name, name.partition("#")[0], f"{name}#1")
        for part, name in zip(reversed(wanted), reversed(names), strict=False)
    )


def is_call(name: str) -> bool:
    """Whether the name of what an edit replaces is the label of a call, not of a routine."""
    return "/" in name


def matches_call(pattern: str, path: str) -> bool:
    """Whether an edit's pattern names the call with this path, `caller/routine#2`."""
    return matches(f"{pattern}.", f"{path}.")


def is_inside(pattern: str, label: str) -> bool:
    """Whether the step with this label is one of a call that an edit's pattern names."""
    *path, _ = parts(label)
    return any(matches_call(pattern, "/".join(path[:n])) for n in range(2, len(path) + 1))


def parts(label: str) -> list[str]:
    """Routines from the outermost to the innermost, and the step."""
    *callers, last = label.split("/")
    routine, _, step = last.partition(".")
    return [*callers, routine, step]
