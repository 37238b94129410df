"""A real Redis Cluster of a test's own: primaries, each with a replica, on ports of this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis import Redis
from redis.crc import key_slot

from tests.patience import eventually
from tests.servers import Servers, free_port, port_of

SLOTS = 16_384
OPTIONS = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0")


class Start(NamedTuple):
    """How a node is started: its address, the words before the program, and further options."""

    host: str = "127.0.0.1"
    by: Sequence[str] = ()
    options: Sequence[str] = ()


LOCAL = Start()


class Cluster:
    """Starts the nodes, and moves slots between them as `redis-cli --cluster reshard` does."""

    def __init__(
        self, servers: Servers, primaries: int = 3, replicas: int = 0, starts: Sequence[Start] | None = None
    ) -> None:
        bus = [free_port() for _ in range(primaries + replicas)]
        starts = starts or [LOCAL] * len(bus)
        self.hosts = [start.host for start in starts]
        self.nodes = [
            servers.start_by(start.by, *OPTIONS, "--cluster-port", str(port), *start.options, host=start.host)
            for port, start in zip(bus, starts, strict=True)
        ]
        self._ports = [port_of(node) for node in self.nodes]
        first, *others = self.nodes
        for node, port in zip(others, bus[1:], strict=True):
            _cluster(first, "MEET", self.host_of(node), port_of(node), port)
        eventually(lambda: all(len(self._known(node)) == len(bus) for node in self.nodes), "all nodes met")
        share = SLOTS // primaries
        for place, node in enumerate(self.nodes[:primaries]):
            end = SLOTS - 1 if place == primaries - 1 else (place + 1) * share - 1
            _cluster(node, "ADDSLOTSRANGE", place * share, end)
        for place, node in enumerate(self.nodes[primaries:]):
            _cluster(node, "REPLICATE", _id(self.nodes[place]))
        eventually(self._is_ready, "the cluster")

    @property
    def url(self) -> str:
        """What a user writes."""
        places = zip(self.hosts, self._ports, strict=True)
        return "redis+cluster://" + ",".join([f"{host}:{port}" for host, port in places][:3])

    def host_of(self, node: Redis) -> str:
        """The address of a node."""
        return self.hosts[self.nodes.index(node)]

    def owner(self, namespace: str) -> Redis:
        """The node that holds the namespace, by what most nodes report."""
        return self.nodes[self._ports.index(self._owner_port(namespace))]

    def primaries(self) -> list[Redis]:
        """The nodes that are primaries now."""
        return [node for node in self.nodes if _role(node) == "master"]

    def replica_of(self, node: Redis) -> Redis:
        """A replica of a node."""
        wanted = _id(node)
        return next(one for one in self.nodes if _role(one) == "slave" and _primary_of(one) == wanted)

    def move(self, namespace: str, target: Redis, pause: float) -> None:
        """Move the namespace's slot to another primary, key by key, with a pause after each."""
        source, slot = self.begin_move(namespace, target)
        while found := _cluster(source, "GETKEYSINSLOT", slot, 1):
            source.migrate(self.host_of(target), port_of(target), found, 0, 5_000)
            time.sleep(pause)
        for node in (target, source, *self.nodes):
            if _role(node) == "master":
                _cluster(node, "SETSLOT", slot, "NODE", _id(target))

    def begin_move(self, namespace: str, target: Redis) -> tuple[Redis, int]:
        """Begin to move the namespace's slot, without a key; its owner and the slot."""
        source, slot = self.owner(namespace), key_slot(namespace.encode())
        _cluster(target, "SETSLOT", slot, "IMPORTING", _id(source))
        _cluster(source, "SETSLOT", slot, "MIGRATING", _id(target))
        return source, slot

    def promote(self, replica: Redis) -> None:
        """Make a replica the primary, without a lost write."""
        _cluster(replica, "FAILOVER")
        eventually(lambda: _role(replica) == "master", "the new primary")

    def _owner_port(self, namespace: str) -> int:
        slot, found = key_slot(namespace.encode()), []
        for node in self.nodes:
            try:
                ranges = _cluster(node, "SLOTS")
            except OSError:
                continue
            found += [int(nodes[0][1]) for begin, end, *nodes in ranges if begin <= slot <= end]
        return max(found, key=found.count)

    def _is_ready(self) -> bool:
        states = [node.execute_command("CLUSTER INFO") for node in self.nodes]  # type: ignore[no-untyped-call]  # untyped there
        links = [node.info("replication").get("master_link_status", "up") for node in self.nodes]
        return all("ok" in str(state["cluster_state"]) for state in states) and set(links) == {"up"}

    def _known(self, node: Redis) -> Any:
        return [one for one in _cluster(node, "NODES").values() if "handshake" not in str(one["flags"])]


def _cluster(node: Redis, *words: object) -> Any:
    return node.execute_command(f"CLUSTER {words[0]}", *words[1:])  # type: ignore[no-untyped-call]  # untyped there


def _id(node: Redis) -> str:
    found = _cluster(node, "MYID")
    return found.decode() if isinstance(found, bytes) else str(found)


def _role(node: Redis) -> str:
    return str(node.info("replication")["role"])


def _primary_of(replica: Redis) -> str:
    [own] = [about for about in _cluster(replica, "NODES").values() if "myself" in about["flags"]]
    return str(own["master_id"])
