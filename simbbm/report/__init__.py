"""What readers and programs see: rows, traces and counterexamples, from results and witnesses."""
