"""`python -m clockd`: the command line, also in a folder that has a `clock.py` or a `clock/` of its own."""

from clock.cli import main

main()
