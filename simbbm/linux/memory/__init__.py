"""What happens to memory as a whole: `memory_hotplug` adds some, `mem_encrypt` shares some."""
