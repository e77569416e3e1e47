"""Runs as other tools read them: `ftrace` lines, `mermaid` diagrams, and `perfetto_trace`."""
