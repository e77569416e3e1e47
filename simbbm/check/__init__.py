"""Properties and verdicts: what a scenario promises, and what a search may say about it."""
