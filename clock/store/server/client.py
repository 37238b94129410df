"""A client of the library for a URL: which pool it uses, and with which limits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import redis as library
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clock.errors import ConfigurationError
from clock.store.server.address import CLUSTER_SCHEMES, Address, read
from clock.store.server.guides import ClusterNodes, Sentinels
from clock.store.server.namespace import Namespace, set_readers
from clock.store.server.pool import Guide, Limits, Link, Pool, TcpLink, TlsLink, UnixLink

PUSH_SECONDS = 5.0  # of a push in all: waiting for a connection, opening it, and the answer
NO_NAMESPACE = (
    "a Redis Cluster needs a namespace: set CLOCK_NAMESPACE=NAME, the name of the application, for all of its "
    "processes (or namespace: NAME in config/clock.yml)"
)

#: For clock, worker and commands: longer than any script takes, and a dead network is noticed soon.
PROCESS_LIMITS = Limits(wait=60.0, connect=5.0, answer=10.0, push=PUSH_SECONDS)

logger = logging.getLogger("clock.redis")


def client(
    url: str,
    max_connections: int,
    limits: Limits = PROCESS_LIMITS,
    *,
    is_application: bool = False,
    source: str = "",
    namespace: str = "",
    durable: int = 0,
) -> Redis:
    """A client for the server of `url`. Nothing is opened yet. Raises ConfigurationError.

    `is_application`: the process only pushes, so lower limits in the URL count, and its `max_connections`.
    `source` is the origin of the URL, for the log line about options without effect; '' logs nothing. `namespace`:
    is put before every key; '' for none. `durable`: how many replicas must have a push or a firing.
    """
    address = read(url)
    for name in address.options.ignored if source else ():
        logger.warning("%s: the option %r in the query has no effect on clock", source, name)
    if is_application:
        lower = address.options.pushes
        limits = replace(
            limits,
            wait=min(limits.wait, lower.get("timeout", limits.wait)),
            connect=min(limits.connect, lower.get("socket_connect_timeout", limits.connect)),
            answer=min(limits.answer, lower.get("socket_timeout", limits.answer)),
        )
        max_connections = int(lower.get("max_connections", max_connections))
    space = Namespace(namespace) if namespace else None
    pool = _pool(address, limits, max_connections, space)
    pool.durable = durable
    pool.is_application = is_application
    pool.in_cluster = address.scheme in CLUSTER_SCHEMES
    redis = Redis.from_pool(pool)
    if space:
        set_readers(redis, space)
    return redis


def push_limits(seconds: float) -> Limits:
    """The limits of a process that only pushes, each push within so many seconds."""
    return Limits(wait=seconds, connect=seconds, answer=seconds, push=seconds)


def _pool(address: Address, limits: Limits, max_connections: int, namespace: Namespace | None) -> Pool:
    """The pool for an address. Raises ConfigurationError for a cluster without a namespace."""
    options = address.options
    is_tls = address.scheme.startswith("rediss") or bool(options.sentinel.get("ssl"))
    tls = {"ssl_check_hostname": options.tls.get("ssl_cert_reqs") != "none", **options.tls}
    of_server = {**_of_all(), "socket_keepalive": True, **options.connection, **address.connection}
    if address.scheme == "unix":
        del of_server["socket_keepalive"]
    if is_tls:
        of_server |= tls
    guide: Guide | None = None
    if address.service:
        guide = _sentinels(address, tls)
    elif address.guides:
        if namespace is None:
            raise ConfigurationError(NO_NAMESPACE)
        of_nodes = {name: value for name, value in of_server.items() if name != "db"}
        guide = ClusterNodes(address.guides, namespace.name, kind=_transport(is_tls), **of_nodes)
    kind = UnixLink if address.scheme == "unix" else _transport(is_tls)
    return Pool(kind, limits, max_connections=max_connections, guide=guide, namespace=namespace, **of_server)


def _sentinels(address: Address, tls: Mapping[str, object]) -> Sentinels:
    given = address.options.sentinel
    is_tls = bool(given.get("sentinel_ssl", address.scheme == "rediss+sentinel"))
    names = {"username": given.get("sentinel_username"), "password": given.get("sentinel_password")}
    connection = {**_of_all(), **names, **(tls if is_tls else {})}
    return Sentinels(address.guides, address.service, kind=_transport(is_tls), **connection)


def _transport(is_tls: bool) -> type[Link]:
    return TlsLink if is_tls else TcpLink


def _of_all() -> dict[str, object]:
    """Options of all connections."""
    return {
        **_about_library(),
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # the library's default differs between its releases, and so do the answers
    }


@cache
def _about_library() -> dict[str, object]:
    """Options of a connection: the library's name and version.

    Without them the library reads its version from a file for each connection that it opens. That fails when a job
    has used up the process's file descriptors, and the connection is then missing from the pool for good.
    """
    kind = getattr(library, "DriverInfo", None)  # older releases read their version once
    return {"driver_info": kind()} if kind else {}
