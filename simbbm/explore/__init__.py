"""Which schedules to look at, and how to come back to one: strategies, runs, witnesses, replay."""
