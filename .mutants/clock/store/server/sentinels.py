"""Sentinel: the primary's address is asked of the sentinels whenever a connection is opened."""

from __future__ import annotations

from typing import Any, Protocol

from redis.exceptions import RedisError

from clock.store.server.faults import SENTINEL_FAULTS, FoundFault, fault_of, plain
from clock.store.server.pool import Limits, Link, Pool, TcpLink, TlsLink

_LIMITS = Limits(wait=1.0, connect=1.0, answer=1.0)  # sentinels are near, and there are others to ask


class Sentinels:
    """The sentinels of a service. They are asked in turn, starting with the sentinel that answered last."""

    def __init__(
        self, addresses: tuple[tuple[str, int], ...], service: str, *, kind: Any, **connection: Any
    ) -> None:
        self._addresses = addresses
        self._service = service
        self._kind = kind
        self._connection = connection

    def primary(self) -> tuple[str, int]:
        """The primary's host and port. Raises FoundFault."""
        errors = []
        for turn, address in enumerate(self._addresses):
            try:
                found = self._ask(address)
            except RedisError as error:
                errors.append(error)
                continue
            if found is not None:
                self._addresses = (*self._addresses[turn:], *self._addresses[:turn])
                return found
        raise self._fault(errors)

    def turn_to_the_next(self) -> None:
        """Ask another sentinel first: this sentinel's primary was not a primary."""
        self._addresses = (*self._addresses[1:], self._addresses[0])

    def _ask(self, address: tuple[str, int]) -> tuple[str, int] | None:
        host, port = address
        link = self._kind(host=host, port=port, **self._connection)
        try:
            link.prepare(_LIMITS)
            link.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
            found = link.read_response()
        finally:
            link.disconnect()
        return (found[0].decode(), int(found[1])) if found else None

    def _fault(self, errors: list[RedisError]) -> FoundFault:
        if len(errors) < len(self._addresses):
            return FoundFault(f"they have no service {self._service!r}", SENTINEL_FAULTS["no_primary"])
        causes = {fault_of(error).cause: error for error in errors}
        for cause in SENTINEL_FAULTS:
            if cause in causes and cause != "unreachable":
                return FoundFault(plain(causes[cause]), SENTINEL_FAULTS[cause])
        return FoundFault(", ".join(sorted({plain(error) for error in errors})), SENTINEL_FAULTS["unreachable"])


class Guide(Protocol):
    """Knows which server is the primary."""

    def primary(self) -> tuple[str, int]:
        """The primary's host and port. Raises FoundFault."""

    def turn_to_the_next(self) -> None:
        """The server that it named is not the primary: ask elsewhere first."""


class _PrimaryLink(Link):
    sentinels: Guide
    fixed: tuple[str, int] | None = None  # the server, if it need not be the primary

    def _connect(self) -> Any:
        self.host, self.port = self.fixed or self.sentinels.primary()
        return super()._connect()


class PrimaryTcpLink(_PrimaryLink, TcpLink):
    """A connection to the primary by TCP."""


class PrimaryTlsLink(_PrimaryLink, TlsLink):
    """A connection to the primary by TLS."""


class PrimaryPool(Pool):
    """A pool of connections to the primary that the sentinels, or the nodes of a cluster, name."""

    tcp: type[Link] = PrimaryTcpLink
    tls: type[Link] = PrimaryTlsLink

    def __init__(
        self, sentinels: Guide, limits: Limits, *, is_tls: bool, max_connections: int, **connection: Any
    ) -> None:
        self._sentinels = sentinels
        kind = self.tls if is_tls else self.tcp
        super().__init__(kind, limits, max_connections=max_connections, **connection)

    def new_link(self) -> Link:
        """A connection that is not open, and not the pool's."""
        link: Any = super().new_link()
        link.sentinels = self._sentinels
        return link  # type: ignore[no-any-return]  # it has one attribute more

    def leave(self) -> None:
        """Make every connection ask for the primary again, another sentinel or node first."""
        self._sentinels.turn_to_the_next()
        super().leave()
