"""Guides: the sentinels of a service, or the nodes of a cluster. They name the server that connections go to.

They are asked whenever a connection is opened, one after the other until one answers.

All keys of a namespace are in one hash slot, so a connection to a cluster needs one node. After a fail-over or a
move of the slot, a node answers MOVED: the pool leaves, and the next connection goes to the new owner. The client
library's own cluster client routes each command by its keys instead; on none of its connections can a script
follow a blocking wait.

While a slot moves, commands are refused with ASK or TRYAGAIN. A refused command was not run. Pushes follow ASK
(see `sending.py`); other commands fail with a fault that passes, and their callers repeat them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError

from clock.store.server.faults import CLUSTER_FAULTS, SENTINEL_FAULTS, Fault, FoundFault, fault_of, plain
from clock.store.server.pool import Limits, Place

_LIMITS = Limits(wait=1.0, connect=1.0, answer=1.0)  # guides are near, and there are others to ask
MOST_NODES = 20  # asked in one search for the owner


class Guides(ABC):
    """Servers that name another server. `kind` and `connection` are those of a connection to one of them."""

    def __init__(self, places: tuple[Place, ...], *, kind: Any, **connection: Any) -> None:
        self._places = places
        self._kind = kind
        self._connection = connection

    def primary(self) -> Place:
        """The host and port of the server. Raises FoundFault, and what the client library does."""
        errors: list[RedisError] = []
        asked = self._places[:MOST_NODES]
        for place in asked:
            try:
                found = self._named_by(place)
            except RedisError as error:
                errors.append(error)
                continue
            if found is not None:
                return found
        raise self._fault(errors if len(errors) == len(asked) else [])

    def turn_to_the_next(self) -> None:
        """Ask another one first: the server that this one named is not the primary."""
        self._places = (*self._places[1:], self._places[0])

    def meaning(self, error: RedisError, link: Any) -> RedisError:
        """The error to raise for an error of a connection to the server."""
        return error

    def _answer(self, place: Place, *command: str) -> Any:
        link = self._kind(host=place[0], port=place[1], **self._connection)
        try:
            link.prepare(_LIMITS)
            link.send_command(*command)
            return link.read_response()
        finally:
            link.disconnect()

    @abstractmethod
    def _named_by(self, place: Place) -> Place | None:
        """The server by this guide, which is asked first the next time; None: it does not know any."""

    @abstractmethod
    def _fault(self, errors: list[RedisError]) -> FoundFault:
        """The error if none has named a server. `errors` are those of all; empty: at least one has answered."""


class Sentinels(Guides):
    """The sentinels of a service, which know its primary."""

    def __init__(self, places: tuple[Place, ...], service: str, *, kind: Any, **connection: Any) -> None:
        super().__init__(places, kind=kind, **connection)
        self._service = service

    def _named_by(self, place: Place) -> Place | None:
        found = self._answer(place, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        if not found:
            return None
        turn = self._places.index(place)
        self._places = (*self._places[turn:], *self._places[:turn])
        return found[0].decode(), int(found[1])

    def _fault(self, errors: list[RedisError]) -> FoundFault:
        if not errors:
            return FoundFault(f"they have no service {self._service!r}", SENTINEL_FAULTS["no_primary"])
        causes = {fault_of(error).cause: error for error in errors}
        for cause in SENTINEL_FAULTS:
            if cause in causes and cause != "unreachable":
                return FoundFault(plain(causes[cause]), SENTINEL_FAULTS[cause])
        return _together(errors, SENTINEL_FAULTS["unreachable"])


class ClusterNodes(Guides):
    """The nodes of a cluster, which know the owner of a namespace's slot."""

    def __init__(self, places: tuple[Place, ...], namespace: str, *, kind: Any, **connection: Any) -> None:
        super().__init__(places, kind=kind, **connection)
        self._given = places
        self._slot = key_slot(namespace.encode())
        self._is_preferred = False  # the first place is that of a MOVED answer

    def prefer(self, place: Place) -> None:
        """Ask this node first: another one has named it as the owner."""
        self._places = tuple(dict.fromkeys((place, *self._places)))
        self._is_preferred = True

    def turn_to_the_next(self) -> None:
        """Ask another node first: the owner that this one named is not the owner."""
        if not self._is_preferred:
            super().turn_to_the_next()
        self._is_preferred = False

    def meaning(self, error: RedisError, link: Any) -> RedisError:
        """The error of a slot that is elsewhere by its own class, with its fault. After MOVED, the pool leaves."""
        code, _, rest = str(error).partition(" ")
        if type(error) is ResponseError and code in _MOVES:  # redis-py 5 raises the general class
            error = _MOVES[code](rest)
        if isinstance(error, AskError):
            is_moved = isinstance(error, MovedError)
            vars(error)["fault"] = CLUSTER_FAULTS["moved" if is_moved else "ask"]
            error.host = error.host or link.host
            if is_moved:
                self.prefer((error.host, error.port))
        return error

    def _named_by(self, place: Place) -> Place | None:
        ranges = self._answer(place, "CLUSTER", "SLOTS")
        known = [_place(node, place[0]) for _, _, *nodes in ranges for node in nodes]
        self._places = tuple(dict.fromkeys((place, *known, *self._given)))
        owner = next((nodes[0] for first, last, *nodes in ranges if first <= self._slot <= last), None)
        return _place(owner, place[0]) if owner else None

    def _fault(self, errors: list[RedisError]) -> FoundFault:
        if not errors:
            return FoundFault(f"no node owns the slot {self._slot}", CLUSTER_FAULTS["no_owner"])
        for error in errors:
            if "cluster support disabled" in str(error):
                return FoundFault(plain(error), CLUSTER_FAULTS["not_a_cluster"])
        for error in errors:
            if not fault_of(error).may_pass:
                return FoundFault(plain(error), fault_of(error))
        return _together(errors, CLUSTER_FAULTS["unreachable"])


def _place(node: list[Any], asked: str) -> Place:
    """A node's place; a node that does not know its own host is the asked one."""
    host = node[0].decode() if node[0] else ""
    return (asked if host in ("", "?") else host), int(node[1])


_MOVES = {"ASK": AskError, "MOVED": MovedError}


def _together(errors: list[RedisError], fault: Fault) -> FoundFault:
    return FoundFault(", ".join(sorted({plain(error) for error in errors})), fault)
