"""Subcommands about kernel images.

`kernel` looks into one; `text` writes its rows for people.
"""
