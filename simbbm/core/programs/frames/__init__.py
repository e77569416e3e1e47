"""Frames: one routine of a program, run from what it has observed.

`frame` runs one as a coroutine, a step at a time, and finds an author's mistakes while doing so;
`known` remembers what frames do after which observations, and sees to it that they do the same
whenever they are run; `closing` says whether a coroutine that is given up runs code of its own.
"""
