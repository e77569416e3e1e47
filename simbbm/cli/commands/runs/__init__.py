"""Subcommands that make runs: `run` one, `stress` many, `campaign` many by plan, and kept."""
