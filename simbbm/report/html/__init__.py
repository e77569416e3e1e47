"""A counterexample as one HTML page that can be stepped through: `simbbm show --as html`."""
