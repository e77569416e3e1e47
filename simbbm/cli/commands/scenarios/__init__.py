"""What there is to work on: scenarios, their steps, a file of one's own."""
