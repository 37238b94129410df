"""Opening Redis for the dashboard, which reads the store only through this room."""

from clock.store import Redis
from clock.store.server.opening import connected, redis_clock, redis_location

__all__ = ["Redis", "connected", "redis_clock", "redis_location"]
