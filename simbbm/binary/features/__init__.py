"""What a machine may have, and what the kernel makes of it.

* `capabilities`: their numbers, by the names that the kernel itself has for them;
* `alternatives`: instructions that the kernel replaces where a machine has one;
* `jump_labels`: branches that a running kernel switches;
* `midr`: the CPUs on its allow lists.
"""
