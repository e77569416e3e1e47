"""A run as data, that others can replay.

Read `record` first: what a witness is. `recording` makes one of a run, `files` writes and reads
it, `kept` keeps it where witnesses are kept, `token` writes it in one line, with `pack` and
`dictionary`.
"""
