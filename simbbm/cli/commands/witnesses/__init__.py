"""Subcommands about recorded runs: `show`, `replay` and `shrink` one, `witness` lists them."""
