"""What is told of a recorded run, and how it is found out.

Read `case` first: a witness, and what is found out about it when a form of report asks. `story` is
what happened, as data; `telling` reads it off a replay, with `origins` for entries that disagree;
`remembered` keeps it beside the witness.
"""
