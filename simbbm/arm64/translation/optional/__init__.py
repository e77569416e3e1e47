"""What the translation of some CPUs has besides: TLBs in common, copies by physical address."""
