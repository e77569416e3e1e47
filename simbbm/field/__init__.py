"""What the field looks like: which machines take the repaint path, and what it costs them.

Read `modes` first: what a kernel makes of its linear map, as a function of what is known of a
machine. `noabort` says whether a kernel lets a core see a size change, from the tables of `known`
(`facts` are their rows, `tables/*.toml` the data). A machine (`machines`, `revisions`) is described
by hand or found in a table (`described`), or was asked by `collector`, a program that stands alone,
whose answer `collected` reads; `taken` finds machines and kernels as a command line names them.
`survey` makes rows of all this for some machines, `general` for all that are known, and `scaled`
parameters of a scenario for one.

`cost/` says what a split of the linear map costs: tables exactly, time by a model.
"""
