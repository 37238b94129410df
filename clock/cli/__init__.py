from clock.cli.app import main, only_looks

__all__ = ["main", "only_looks"]
