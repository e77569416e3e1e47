"""One run, and coming back to it.

Read `play` first: a model and a chooser give a run, and a run a `schedule`. `run` is about runs of
a campaign, chosen by a strategy, a seed and a number. `replay` plays a witness again: exactly
(`exact`), by labels in a program that has changed (`semantic`), or with its labels as goals
(`goal`); the latter two find moves on a `walk`. `marks` and `renamed` match labels that have
changed; `live` finds edits that change nothing.
"""
