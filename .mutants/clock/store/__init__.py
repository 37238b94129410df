from redis import Redis

__all__ = ["Redis"]
