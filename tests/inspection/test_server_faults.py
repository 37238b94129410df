import pytest

from clock.inspection.doctor.server import server_faults

HEALTHY = {"role": "master", "cluster_enabled": 0, "loading": 0, "maxmemory": 0, "used_memory": 1000}


def test_a_healthy_server_has_none() -> None:
    assert list(server_faults(HEALTHY)) == []


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (
            {"role": "slave", "master_host": "db1", "master_port": 6379},
            "this is a replica of db1:6379 and refuses to write: set REDIS_URL to the primary",
        ),
        ({"loading": 1}, "the server is loading its data: wait until it is ready"),
        (
            {"maxmemory": 500, "maxmemory_policy": "noeviction"},
            "the memory is full (1000 of 500 bytes) and the server refuses to write: "
            "free memory, or raise maxmemory",
        ),
        (
            {"rdb_last_bgsave_status": "err"},
            "the last write to disk failed, so the server may refuse to write: look at its log and its disk",
        ),
        (
            {"min_slaves_good_slaves": 0},
            "min-replicas-to-write is set, and no replica follows: the server refuses to write: "
            "start its replicas, or lower min-replicas-to-write",
        ),
    ],
)
def test_what_stops_clocks_and_workers_is_found(told: dict[str, object], found: str) -> None:
    assert [str(fault) for fault in server_faults({**HEALTHY, **told})] == [found]
