from clock.cli.app import main, starts_process

__all__ = ["main", "starts_process"]
