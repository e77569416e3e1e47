"""arm64 Linux's linear-map split, function by function, under the kernel's names.

Every modelled function says where the kernel has it (`file:function`, about v6.18). Arguments that
the kernel finds in globals come in one frozen record, `Kernel`.
"""
