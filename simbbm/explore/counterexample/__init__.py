"""A failure: made sure of, explained, made small, and what could have prevented it.

Read `explain` first; `explanation` is what it returns. `concrete` makes moves of what a search
found, `confirm` checks the run once more, `causes` finds the steps that its end depends on.
`allowances` and `probability` say which freedoms of the hardware it needs, and how likely it is.
`shrink` makes it small, with `simplest` (parameters) and `ddmin` (failures that are too deep for a
search). `ablate` asks of each step whether it is needed, `named_steps` lists them, `kernel_names`
says which of the kernel's functions a routine stands for.
"""
