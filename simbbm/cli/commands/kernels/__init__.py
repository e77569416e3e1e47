"""Subcommands about kernel images.

`kernel` looks into one, `compare` at two; `text` writes its rows for people.
"""
