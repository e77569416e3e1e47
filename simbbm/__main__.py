"""`python -m simbbm` is `simbbm`."""

from simbbm.cli import main

main()
