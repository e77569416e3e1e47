"""From a file to a kernel at its virtual addresses, with names and structures.

* `container`: what a file is (arm64 Image, gzip, xz, zstd, zboot, ELF), and the kernel in it;
* `lz4`: what Python has no module for;
* `elf`: segments, symbols and relocations of a vmlinux;
* `image`: the kernel at its virtual addresses;
* `symbols`: names and addresses, which `kallsyms` finds in a stripped image;
* `kaslr`: the image where KASLR has moved it to;
* `symbol_cache`: those that were found, kept for the next time;
* `types`: where members of structures are: by `btf`, or `dwarf` where there is none.

Read `image` first.
"""
