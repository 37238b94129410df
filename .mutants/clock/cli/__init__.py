from clock.cli.app import main

__all__ = ["main"]
