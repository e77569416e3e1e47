"""One run, and coming back to it.

Read `play` first: a model and somebody who chooses give a run, and a run a `schedule`. `run` is
about runs of a campaign: a strategy, a seed and a number choose. `replay` follows a witness:
exactly (`exact`), by labels in a program that has changed (`semantic`, `walk`), or towards its goal
(`goal`). `marks` and `renamed` are about labels that have moved; `live` finds
edits that change nothing.
"""
