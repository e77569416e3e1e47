"""Many runs on many cores: a planner that does no I/O, workers, and an asyncio loop over them."""
