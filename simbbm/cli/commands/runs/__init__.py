"""Subcommands that make runs: `run` one, `stress` many, `campaign` many by plan, and kept.

`cost` makes timed ones, for what a split of the linear map costs.
"""
