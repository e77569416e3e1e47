"""Litmus tests of virtual memory: read, run exhaustively, held against published verdicts.

Read `scenario` first: a test as a scenario. `notation/` reads the format, `layout` and `setup`
make a machine of a test, its threads listings or programs (`as_program`). `run` searches,
`outcome` looks at final states, `score` and `report` hold them against verdicts, by the rules of
`rules`.
"""
