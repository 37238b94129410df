from collections.abc import Callable

import pytest
from redis import Redis

from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import connect, translated
from clock.store.server.faults import is_refusal
from clock.store.server.sending import send
from tests.store.talking import answering

PASSING = {
    "OOM command not allowed when used memory > 'maxmemory'.": "out_of_memory",
    "READONLY You can't write against a read only replica.": "read_only",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": "master_down",
    "LOADING Redis is loading the dataset in memory": "loading",
    "TRYAGAIN Multiple keys request during rehashing of slot": "try_again",
    "CLUSTERDOWN The cluster is down": "cluster_down",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": "busy_script",
    "MISCONF Redis is configured to save RDB snapshots, but can't.": "disk_error",
    "NOREPLICAS Not enough good replicas to write.": "no_replicas",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": "unblocked",
    "NOSCRIPT No matching script. Please use EVAL.": "no_script",
    "ERR max number of clients reached": "too_many_clients",
    "ERR Error running script (call to f_1): @user_script:3: -OOM command not allowed": "out_of_memory",
    "ERR Error running script (call to f_1): @user_script:3: -READONLY You can't write": "read_only",
    "EXECABORT Transaction discarded because of: READONLY You can't write": "read_only",
    "EXECABORT Transaction discarded because of: OOM command not allowed": "out_of_memory",
}
LASTING = {
    "NOPERM this user has no permissions to run the 'lpush' command": "no_permission",
    "EXECABORT Transaction discarded because of: NOPERM no permissions to run 'exec'": "no_permission",
    "ERR EXEC without MULTI": "no_permission",
    "ERR ACL failure in script: User pusher has no permissions to run the 'lpush' command": "no_permission",
    "WRONGPASS invalid username-password pair or user is disabled.": "wrong_password",
    "NOAUTH Authentication required.": "password_needed",
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?": "password_unknown",
    "WRONGTYPE Operation against a key holding the wrong kind of value": "wrong_type",
    "ERR Error running script (call to f_1): @user_script:3: -WRONGTYPE Operation against a key": "wrong_type",
    "MOVED 3999 127.0.0.1:6381": "cluster",
    "CROSSSLOT Keys in request don't hash to the same slot": "cluster",
    "ERR unknown command 'EVALSHA', with args beginning with: ": "unknown_command",
    "ERR DB index is out of range": "no_such_database",
    "ERR value is not an integer or out of range": "refused",
    "BUSYGROUP Consumer Group name already exists": "refused",
}


def get(redis: Redis) -> None:
    redis.get("x")


def get_in_pipeline(redis: Redis) -> None:
    pipeline = redis.pipeline(transaction=False)
    pipeline.get("x")
    pipeline.execute()


def push(redis: Redis) -> None:
    send(redis, [[("SADD", "queues", "default"), ("LPUSH", "queue:default", "{}")]], within=5.0)


WAYS = pytest.mark.parametrize("way", [get, get_in_pipeline, push])


def met(answer: str, way: Callable[[Redis], None]) -> StoreError:
    with answering("-" + answer) as url:
        redis = connect(url)
        with pytest.raises(StoreError) as caught, translated():
            way(redis)
        redis.close()
    return caught.value


@WAYS
@pytest.mark.parametrize(("answer", "cause"), PASSING.items())
def test_a_fault_that_may_pass_is_told_from_the_others(
    answer: str, cause: str, way: Callable[[Redis], None]
) -> None:
    error = met(answer, way)

    assert (type(error), error.cause) == (StoreUnavailable, cause), error


@WAYS
@pytest.mark.parametrize(("answer", "cause"), LASTING.items())
def test_a_fault_that_waiting_does_not_cure_is_a_store_error(
    answer: str, cause: str, way: Callable[[Redis], None]
) -> None:
    error = met(answer, way)

    assert (type(error), error.cause) == (StoreError, cause), error


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("the key clock:history:a: NOPERM No permissions to access a key", True),
        ("ERR ACL failure in script: User pusher has no permissions to run the 'xadd' command", True),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False),
    ],
)
def test_an_answer_that_a_script_quotes_is_a_refusal_if_the_user_may_not_run_a_command(
    text: str, is_one: bool
) -> None:
    assert is_refusal(text) is is_one


def test_the_text_holds_what_is_wrong_the_servers_words_and_the_cure() -> None:
    error = met("OOM command not allowed when used memory > 'maxmemory'.", get_in_pipeline)

    assert str(error) == (
        "Redis is out of memory: command not allowed when used memory > 'maxmemory'. "
        "Free memory, or raise its maxmemory."
    )


def test_a_port_of_another_program_is_named() -> None:
    with answering("HTTP/1.1 400 Bad Request") as url:
        redis = connect(url)
        with pytest.raises(StoreError, match="This is not Redis") as caught, translated():
            redis.get("x")
        redis.close()

    assert caught.value.cause == "not_redis"


def test_a_cluster_of_which_no_node_answers_is_unreachable(free_port: int) -> None:
    url = f"redis+cluster://127.0.0.1:{free_port},localhost:{free_port}"

    with pytest.raises(StoreUnavailable) as caught:
        connect(url, namespace="shop")

    assert caught.value.cause == "unreachable"


def test_the_cause_is_kept_when_the_address_is_added(free_port: int) -> None:
    with pytest.raises(StoreUnavailable, match="Is it running") as caught:
        connect(f"redis://127.0.0.1:{free_port}/0")

    assert caught.value.cause == "unreachable"
