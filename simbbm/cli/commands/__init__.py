"""One file for each subcommand: options, and what is printed. No rules live here."""
