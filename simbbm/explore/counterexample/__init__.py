"""A failure: made sure of, explained, made small, and what could have prevented it.

Read `explain` first. `concrete` makes a run of what a search found, `confirm` plays it once more.
`allowances` and `probability` say what it needs of hardware and of luck. `shrink` finds the
smallest story, with `simplest` (parameters) and `ddmin` (failures that are too deep for a
search). `ablate` asks of each step whether it carries the load.
"""
