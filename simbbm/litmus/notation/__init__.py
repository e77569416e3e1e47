"""How a litmus test is written: one JSON object a line.

Read `reader` first. `operations` are the verbs, `syntax` their operands, `conditions` what may hold
at the end; `checks` refuses what makes no sense.
"""
