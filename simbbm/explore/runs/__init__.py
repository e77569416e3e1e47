"""One run, and coming back to it.

Read `run` first: a scenario, its parameters, a strategy, a seed and a number give one result.
`replay` follows a witness: exactly, by labels in a program that has changed (`semantic`, `walk`),
or towards its goal (`goal`). `marks` and `renamed` are about labels that have moved; `live` finds
edits that change nothing.
"""
