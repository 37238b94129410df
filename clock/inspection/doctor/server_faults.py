"""Faults of the server itself, from its INFO: it answers, but no clock or worker can work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clock.inspection.doctor.finding import Finding, Grade


def server_faults(info: Mapping[str, object]) -> list[Finding]:
    """The faults that stop clocks and workers. `info` is the server's INFO."""
    return [*_mode(info), *_writes(info)]


def _mode(info: Mapping[str, object]) -> Iterator[Finding]:
    if info.get("role") == "slave":
        master = f"{info.get('master_host')}:{info.get('master_port')}"
        yield Finding(
            "replication",
            Grade.BAD,
            f"this is a replica of {master} and refuses to write",
            "set REDIS_URL to the primary",
        )
    if str(info.get("loading")) == "1":
        yield Finding("loading", Grade.BAD, "the server is loading its data", "wait until it is ready")


def _writes(info: Mapping[str, object]) -> Iterator[Finding]:
    used, limit = _number(info, "used_memory"), _number(info, "maxmemory")
    if limit and used > limit and info.get("maxmemory_policy") == "noeviction":
        yield Finding(
            "memory",
            Grade.BAD,
            f"the memory is full ({used} of {limit} bytes) and the server refuses to write",
            "free memory, or raise maxmemory",
        )
    if "err" in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")):
        yield Finding(
            "disk",
            Grade.BAD,
            "the last write to disk failed, so the server may refuse to write",
            "look at its log and its disk",
        )
    if str(info.get("min_slaves_good_slaves")) == "0":  # only there if min-replicas-to-write is set
        yield Finding(
            "replication",
            Grade.BAD,
            "min-replicas-to-write is set, and no replica follows: the server refuses to write",
            "start its replicas, or lower min-replicas-to-write",
        )


def _number(info: Mapping[str, object], name: str) -> int:
    value = str(info.get(name, 0))
    return int(value) if value.isdigit() else 0
