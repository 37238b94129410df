"""`python -m clock`."""

from clock.cli import main

main()
