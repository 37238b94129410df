"""The server's kind and version, and whether clock can work with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from clock.errors import StoreError
from clock.store.server.faults import TO_USE_A_CLUSTER

_OLDEST = {"redis": (6, 2), "valkey": (7, 2)}


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """The server's kind, `redis` or `valkey` or what another calls itself, and its version."""

    kind: str
    version: str

    @classmethod
    def of(cls, info: Mapping[str, object]) -> ServerVersion:
        """The version in the server's INFO.

        >>> str(ServerVersion.of({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.0"}))
        'valkey 8.1.0'
        """
        kind = str(info.get("server_name", "redis"))
        return cls(kind, str(info.get(f"{kind}_version", info.get("redis_version", "0"))))

    @property
    def needed(self) -> str | None:
        """The oldest supported version if this one is older, or None if it is new enough or of another kind."""
        oldest = _OLDEST.get(self.kind)
        if oldest is None or tuple(int(part) for part in self.version.split(".")[:2]) >= oldest:
            return None
        return ".".join(map(str, oldest))

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"


def check_server(redis: Redis) -> None:
    """Refuse a server that clock cannot work with. Raises StoreError, and what the client library does.

    Without the permission for INFO, HELLO is asked; without that one, nothing is checked.
    """
    try:
        info: dict[str, Any] = redis.info("server")
    except NoPermissionError:
        info = _asked_by_hello(redis)
    mode = info.get("redis_mode", info.get("server_mode"))
    if mode == "cluster" and not getattr(redis.connection_pool, "in_cluster", False):
        raise StoreError(f"this is a Redis Cluster (cluster mode on): {TO_USE_A_CLUSTER}.", cause="cluster")
    if mode == "sentinel":
        raise StoreError(
            "this is a sentinel; write redis+sentinel://HOST:26379/SERVICE (with TLS rediss+sentinel://).",
            cause="sentinel",
        )
    found = ServerVersion.of(info)
    if info and found.needed is not None:
        raise StoreError(f"this is {found}; {found.needed} or newer is needed.", cause="too_old")


def _asked_by_hello(redis: Redis) -> dict[str, str]:
    """The fields of INFO that HELLO answers, too; empty if the user or the server does not allow it.

    READWRITE does not prove cluster mode: Valkey 8 accepts it everywhere.
    """
    try:
        answer: Any = redis.execute_command("HELLO")  # type: ignore[no-untyped-call]  # untyped there
    except ResponseError:
        return {}
    words = [word.decode() if isinstance(word, bytes) else str(word) for word in answer]
    found = dict(zip(words[::2], words[1::2], strict=False))
    kind = found.get("server", "redis")
    return {
        "redis_mode": found.get("mode", ""),
        "server_name": kind,
        f"{kind}_version": found.get("version", "0"),
    }
