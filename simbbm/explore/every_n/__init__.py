"""A proof for every number of CPUs: views of a few CPUs, closed under the real machine's steps.

`prove` is the way in; `simbbm guide every_n` has the argument. `setting` builds the machine, for N
as for each number of CPUs, and `unseen` refuses what symbols do not notice; `counting`
knows what a counter says of who has been counted, `abstraction` what a view keeps of a state,
`steps` lets the machine take a step, `fewer` says where one of the boot CPU's is enough, `views`
glues and closes, `stuck` and `termination` are about the end of runs. Nothing here says what an
instruction does: that is asked of `arm64.machine.Arm64`.
"""
