"""A Redis or Valkey Cluster: connections go to the node that holds the namespace's hash slot.

All keys of a namespace are in one slot, so a connection needs one node, as it does without a cluster. The nodes
are asked for the slot's owner whenever a connection is opened. After a fail-over or a move of the slot, a node
answers MOVED: the pool leaves, and the next connection goes to the new owner. The client library's own cluster
client routes each command by its keys instead; it has no connection on which a script follows a blocking wait.

While a slot moves, commands are refused with ASK or TRYAGAIN. A refused command was not run. Pushes follow ASK
(see `sending.py`); other commands fail with a fault that passes, and their callers repeat them.
"""

from __future__ import annotations

from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError

from clock.store.server.faults import CLUSTER_FAULTS, FoundFault, fault_of, plain
from clock.store.server.pool import Limits, Link
from clock.store.server.sentinels import PrimaryPool, PrimaryTcpLink, PrimaryTlsLink

_LIMITS = Limits(wait=1.0, connect=1.0, answer=1.0)  # nodes are near, and there are others to ask
MOST_NODES = 20  # asked in one search for the owner

Address = tuple[str, int]


class ClusterNodes:
    """The nodes of a cluster, which know the owner of a namespace's slot. The last to answer is asked first."""

    def __init__(self, addresses: tuple[Address, ...], namespace: str, *, kind: Any, **connection: Any) -> None:
        self._given = addresses
        self._addresses = addresses
        self._slot = key_slot(namespace.encode())
        self._kind = kind
        self._connection = connection
        self._is_preferred = False  # the first address is that of a MOVED answer

    def primary(self) -> Address:
        """The host and port of the slot's owner. Raises FoundFault, and what the client library does."""
        errors: list[RedisError] = []
        for address in self._addresses[:MOST_NODES]:
            try:
                owner, nodes = self._ask(address)
            except RedisError as error:
                errors.append(error)
                continue
            self._addresses = tuple(dict.fromkeys((address, *nodes, *self._given)))
            if owner is not None:
                return owner
        raise self._fault(errors)

    def prefer(self, address: Address) -> None:
        """Ask this node first: another one has named it as the owner."""
        self._addresses = tuple(dict.fromkeys((address, *self._addresses)))
        self._is_preferred = True

    def turn_to_the_next(self) -> None:
        """Ask another node first: the owner that this one named is not the owner."""
        if not self._is_preferred:
            self._addresses = (*self._addresses[1:], self._addresses[0])
        self._is_preferred = False

    def _ask(self, address: Address) -> tuple[Address | None, list[Address]]:
        """The slot's owner by this node, and all nodes that it knows."""
        host, port = address
        link = self._kind(host=host, port=port, **self._connection)
        try:
            link.prepare(_LIMITS)
            link.send_command("CLUSTER", "SLOTS")
            ranges = link.read_response()
        finally:
            link.disconnect()
        owner = next((nodes[0] for first, last, *nodes in ranges if first <= self._slot <= last), None)
        known = [_address(node, host) for _, _, *nodes in ranges for node in nodes]
        return (_address(owner, host) if owner else None), known

    def _fault(self, errors: list[RedisError]) -> FoundFault:
        if len(errors) < len(self._addresses[:MOST_NODES]):
            return FoundFault(f"no node owns the slot {self._slot}", CLUSTER_FAULTS["no_owner"])
        for error in errors:
            if "cluster support disabled" in str(error):
                return FoundFault(plain(error), CLUSTER_FAULTS["not_a_cluster"])
        for error in errors:
            if not fault_of(error).may_pass:
                return FoundFault(plain(error), fault_of(error))
        return FoundFault(", ".join(sorted({plain(error) for error in errors})), CLUSTER_FAULTS["unreachable"])


def _address(node: list[Any], asked: str) -> Address:
    """A node's address; a node that does not know its own is the asked one."""
    host = node[0].decode() if node[0] else ""
    return (asked if host in ("", "?") else host), int(node[1])


class ClusterLink(Link):
    """A connection that follows a slot to its new owner."""

    sentinels: Any
    host: str

    def read_response(self, *args: Any, **options: Any) -> Any:
        """The next answer. Raises what the client library does."""
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            answered = _typed(error)
            if isinstance(answered, AskError):
                self._note_move(answered)
            raise answered from error.__cause__

    def _note_move(self, error: AskError) -> None:
        is_moved = isinstance(error, MovedError)
        vars(error)["fault"] = CLUSTER_FAULTS["moved" if is_moved else "ask"]
        error.host = error.host or self.host
        if is_moved:
            self.is_elsewhere = True
            self.sentinels.prefer((error.host, error.port))


def _typed(error: ResponseError) -> ResponseError:
    """The error of a slot that is elsewhere by its own class: redis-py 5 raises the general one."""
    code, _, rest = str(error).partition(" ")
    return _MOVES[code](rest) if type(error) is ResponseError and code in _MOVES else error


_MOVES = {"ASK": AskError, "MOVED": MovedError}


class ClusterTcpLink(ClusterLink, PrimaryTcpLink):
    """A connection to the slot's owner by TCP."""


class ClusterTlsLink(ClusterLink, PrimaryTlsLink):
    """A connection to the slot's owner by TLS."""


class ClusterPool(PrimaryPool):
    """A pool of connections to the owner of the namespace's slot."""

    tcp, tls = ClusterTcpLink, ClusterTlsLink

    def link_to(self, address: Address, seconds: float) -> Link:
        """An open connection to one node, not the pool's, whose answers take so long at most."""
        link: Any = self.new_link()
        link.fixed = address
        link.prepare(Limits(wait=seconds, connect=seconds, answer=seconds))
        return link  # type: ignore[no-any-return]  # it has one attribute more
