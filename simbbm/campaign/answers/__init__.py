"""What workers are asked for, and the rows that they answer with.

Of tasks that cannot be split: `searches` makes rows in this process, `searches_elsewhere` in
workers; `ablations`, and `conformance`, which judges litmus tests, do both (`in_order`). Of many
runs: `sampling` makes a row of what they came to, `trials` are the campaigns of the kill table.
"""
