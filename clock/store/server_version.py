"""Which server it is, and whether it is new enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_OLDEST = {"redis": (6, 2), "valkey": (7, 2)}


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """The server's kind, `redis` or `valkey` or what another calls itself, and its version."""

    kind: str
    version: str

    @classmethod
    def of(cls, told: Mapping[str, object]) -> ServerVersion:
        """What the server's INFO tells of it.

        >>> str(ServerVersion.of({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.0"}))
        'valkey 8.1.0'
        """
        kind = str(told.get("server_name", "redis"))
        return cls(kind, str(told.get(f"{kind}_version", told.get("redis_version", "0"))))

    @property
    def needed(self) -> str | None:
        """The oldest version that will do, where this one is older; None: it is new enough, or of another kind.

        >>> ServerVersion("redis", "5.0.14").needed, ServerVersion("redis", "7.2.4").needed
        ('6.2', None)
        """
        oldest = _OLDEST.get(self.kind)
        if oldest is None or tuple(int(part) for part in self.version.split(".")[:2]) >= oldest:
            return None
        return ".".join(map(str, oldest))

    def __str__(self) -> str:
        return f"{self.kind} {self.version}"
