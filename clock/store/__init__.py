"""All that clock keeps in Redis. The client library is imported when its class is first used."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from redis import Redis
else:

    def __getattr__(name: str) -> object:
        """Import the client library for the name of its class."""
        if name != "Redis":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        __import__("redis")
        globals()[name] = sys.modules["redis"].Redis
        return globals()[name]


__all__ = ["Redis"]
