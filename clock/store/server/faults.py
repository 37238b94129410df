"""The meaning of an error of Redis or of the network: its cause, its cure, and whether it may pass by itself.

The client library's exception class decides. If it has no class for an answer, the answer's first word does: the
library removes that word only if it has a class. For network errors, which share one class, the text decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import AuthenticationError, InvalidResponse, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from clock.errors import StoreError, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which Redis fails. `cause` is a stable word for programs; `what` and `cure` are for people.

    `may_pass`: it can end without a change on our side, so trying again later makes sense. `is_elsewhere`: the
    server of this name may be another machine now, so connections are dropped and the name is resolved again.
    """

    cause: str
    what: str
    cure: str = ""
    may_pass: bool = True
    is_elsewhere: bool = False


class FoundFault(RedisConnectionError):
    """An error of the connection with a fault that the raising code knows."""

    def __init__(self, text: str, fault: Fault) -> None:
        super().__init__(text)
        self.fault = fault


def store_error(error: RedisError) -> StoreError:
    """The error to raise instead: StoreUnavailable if the fault may pass, else StoreError."""
    fault = fault_of(error)
    kind = StoreUnavailable if fault.may_pass else StoreError
    text = plain(error)
    stop = "" if text.endswith("?") else "."
    return kind(f"{fault.what}: {text}{stop} {fault.cure}".rstrip(), cause=fault.cause)


def fault_of(error: RedisError) -> Fault:
    """The fault behind an error of the client library."""
    found: Fault | None = getattr(error, "fault", None)  # of a FoundFault, or of a cluster's answer
    if found is not None:
        return found
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_CLASS:
            return _BY_CODE[_BY_CLASS[kind.__name__]]
    text = plain(error)
    if isinstance(error, AuthenticationError):
        return _by_words(_OF_PASSWORDS, text, _WRONG_PASSWORD)
    if isinstance(error, ResponseError):
        code = _CODE.match(text) or _CODE_IN_SCRIPT.search(text)
        return _BY_CODE[code[1]] if code else _by_words(_OF_ANSWERS, text, _REFUSED)
    if isinstance(error, RedisTimeoutError):
        return _NO_ANSWER
    if isinstance(error, InvalidResponse):
        return _NOT_REDIS
    return _by_words(_OF_NETWORK, text, _UNREACHABLE if isinstance(error, RedisConnectionError) else _REFUSED)


def is_refusal(text: str) -> bool:
    """Whether an answer of Redis, quoted by a script, means that this user may not run a command."""
    return "NOPERM" in text or fault_of(ResponseError(text)) is _NO_PERMISSION


def plain(error: Exception) -> str:
    """The library's text without its full stop, its objects, and the place of a command in a pipeline or script.

    >>> plain(ResponseError("Command # 2 (LPUSH a 1) of pipeline caused error: MISCONF Errors writing."))
    'MISCONF Errors writing'
    >>> plain(ResponseError(f"OOM command not allowed script: {'5e' * 20}, on @user_script:8."))
    'OOM command not allowed'
    """
    text = _PLACE.sub("", _PIPELINE.sub("", str(error))).partition(" : <")[0]
    return text.strip().rstrip(".") or type(error).__name__


def _by_words(faults: Sequence[tuple[str, Fault]], text: str, otherwise: Fault) -> Fault:
    return next((fault for words, fault in faults if words in text), otherwise)


def _permanent(cause: str, what: str, cure: str) -> Fault:
    return Fault(cause, what, cure, may_pass=False)


def _elsewhere(cause: str, what: str, cure: str) -> Fault:
    return Fault(cause, what, cure, is_elsewhere=True)


_FAIL_OVER = "Wait for the fail-over to end, or use the primary's address."

#: The setting for a Redis Cluster.
TO_USE_A_CLUSTER = "write redis+cluster://HOST:6379 (with TLS rediss+cluster://) and set CLOCK_NAMESPACE=NAME"

_UNREACHABLE = _elsewhere("unreachable", "Redis cannot be reached", "Is it running, and is its address right?")
_NO_ANSWER = _elsewhere(
    "no_answer", "Redis does not answer", "The server or the network hangs, or a command takes very long."
)
_NO_CONNECTION = Fault(
    "no_free_connection",
    "No connection to Redis is free",
    "Other threads hold all of them: allow more with ?max_connections=N in the URL.",
)
_CERTIFICATE = Fault("certificate", "Redis cannot be reached over TLS")
_REFUSED = _permanent("refused", "Redis refuses a command", "")
_NOT_REDIS = _permanent(
    "not_redis", "This is not Redis", "Is it another program's port, or is TLS needed (rediss://)?"
)
_CLUSTER = _permanent("cluster", "This is a Redis Cluster (cluster mode on)", f"{TO_USE_A_CLUSTER}.")
_NO_PERMISSION = _permanent(
    "no_permission",
    "Redis refuses a command to this user",
    "Allow it: docs/deploying.md lists the permissions that each process needs.",
)
_WRONG_PASSWORD = _permanent("wrong_password", "Redis refuses this user or password", "Correct the URL.")
_PASSWORD_NEEDED = _permanent(
    "password_needed", "Redis asks for a password", "Put it in the URL: redis://:PASSWORD@HOST."
)
_PASSWORD_UNKNOWN = _permanent(
    "password_unknown", "Redis has no password", "Remove the one in the URL, or set it in Redis."
)

_READ_ONLY = _elsewhere("read_only", "Redis is a read-only replica", _FAIL_OVER)
_SLOT_MOVES = Fault(
    "try_again",
    "The Redis Cluster moves the slot to another node",
    "It continues when the slot has moved. If the move was interrupted: redis-cli --cluster fix HOST:PORT.",
)
_FIND_NODES = "Wait for the fail-over to end, or find the missing nodes: redis-cli --cluster check HOST:PORT."

#: Faults of a connection to a cluster.
CLUSTER_FAULTS = {
    "moved": _elsewhere("moved", "The slot is on another node of the Redis Cluster now", "Clock follows it."),
    "ask": _SLOT_MOVES,
    "no_owner": _elsewhere("cluster_down", "No node of the Redis Cluster has the slot", _FIND_NODES),
    "unreachable": _elsewhere("unreachable", "No node of the Redis Cluster can be reached", ""),
    "not_a_cluster": _permanent(
        "not_a_cluster",
        "This is not a Redis Cluster",
        "Write redis:// or rediss:// for a server without cluster mode.",
    ),
}

#: By the first word of the server's answer.
_BY_CODE = {
    "LOADING": _elsewhere("loading", "Redis is loading its data", "It answers when it is ready."),
    "READONLY": _READ_ONLY,
    "MASTERDOWN": _elsewhere("master_down", "Redis is a replica without its primary", _FAIL_OVER),
    "UNBLOCKED": _elsewhere("unblocked", "Redis ended a blocking wait", _FAIL_OVER),
    "NOREPLICAS": _elsewhere(
        "no_replicas",
        "Redis lacks replicas and refuses to write",
        "Start its replicas, or lower min-replicas-to-write.",
    ),
    "TRYAGAIN": _SLOT_MOVES,
    "CLUSTERDOWN": _elsewhere("cluster_down", "The Redis Cluster is down", _FIND_NODES),
    "OOM": Fault("out_of_memory", "Redis is out of memory", "Free memory, or raise its maxmemory."),
    "MISCONF": Fault(
        "disk_error",
        "Redis cannot save to its disk and refuses to write",
        "Free its disk, or repair its persistence: the server's log names the reason.",
    ),
    "BUSY": Fault("busy_script", "Redis is busy with a script", "End the script with SCRIPT KILL."),
    "NOSCRIPT": Fault("no_script", "Redis has lost a script", "It is loaded again."),
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "NOPERM": _NO_PERMISSION,
    "WRONGPASS": _WRONG_PASSWORD,
    "NOAUTH": _PASSWORD_NEEDED,
    "WRONGTYPE": _permanent(
        "wrong_type",
        "A key in Redis has the wrong type",
        "Another program wrote it: clock doctor names the key. Rename or delete it.",
    ),
    "DENIED": _permanent(
        "protected", "Redis runs in protected mode", "Set a password there, or turn protected-mode off."
    ),
}

#: By the library's class. The library removes the first word of these answers.
_BY_CLASS = {
    "BusyLoadingError": "LOADING",
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
    "AskError": "ASK",  # MovedError is a subclass
    "ClusterCrossSlotError": "CROSSSLOT",
    "NoScriptError": "NOSCRIPT",
    "NoPermissionError": "NOPERM",
}

_CODE = re.compile(rf"(?:Transaction discarded because of: )?({'|'.join(_BY_CODE)})\b")
_CODE_IN_SCRIPT = re.compile(rf"-({'|'.join(_BY_CODE)})\b")  # Redis 6.2 starts with "Error running script"
_PIPELINE = re.compile(r"Command # \d+ \(.*?\) of pipeline caused error: ", re.DOTALL)
_PLACE = re.compile(
    r"^(?:ERR )?Error running script \(call to f_[0-9a-f]{40}\): @\w+: ?\d+: |"  # Redis 6.2
    r",? script: (?:[0-9a-f]{40}, )?on @\w+:\d+\.?$"
)

#: Refusals whose text starts with ERR.
_OF_ANSWERS = (
    ("ACL failure in script", _NO_PERMISSION),
    ("The user executing the script", _NO_PERMISSION),
    ("EXEC without MULTI", _NO_PERMISSION),  # MULTI was refused
    (
        "unknown command",
        _permanent(
            "unknown_command",
            "Redis does not know a command",
            "The server is too old, or the command is renamed or disabled.",
        ),
    ),
    ("WAIT cannot be used with replica", _READ_ONLY),
    (
        "DB index is out of range",
        _permanent(
            "no_such_database",
            "Redis has no database of this number",
            "Use a lower number in the URL, or raise `databases` in the server's configuration.",
        ),
    ),
    ("'auth' command", _PASSWORD_UNKNOWN),
    ("'AUTH' command", _PASSWORD_UNKNOWN),
)

_OF_PASSWORDS = (
    ("Authentication required", _PASSWORD_NEEDED),
    ("client already authenticated", _PASSWORD_NEEDED),  # the answer to HELLO
    ("without any password configured", _PASSWORD_UNKNOWN),
    ("no password is set", _PASSWORD_UNKNOWN),
)

_OF_NETWORK = (
    (
        "max number of clients",
        Fault(
            "too_many_clients",
            "Redis accepts no more clients",
            "Raise its maxclients, or find with CLIENT LIST which clients hold the connections.",
        ),
    ),
    ("No connection available", _NO_CONNECTION),
    ("Too many connections", _NO_CONNECTION),
    ("certificate", _CERTIFICATE),
    ("SSL", Fault("tls", "Redis cannot be reached over TLS", "Does the server speak TLS on this port?")),
)


NOT_REPLICATED = Fault(
    "not_replicated",
    "Too few replicas have a write, and a fail-over now would lose it",
    "Start the replicas, or lower `durable`.",
)

#: Why no sentinel names the primary, by the cause of their answers.
SENTINEL_FAULTS = {
    "unreachable": _elsewhere("unreachable", "Redis cannot be reached: no sentinel answers", ""),
    "unknown_command": _permanent(
        "not_a_sentinel", "This is not a sentinel", "A sentinel's port is 26379; redis:// is for Redis itself."
    ),
    "no_primary": Fault(
        "no_primary", "The sentinels name no primary", "Is the service's name in the URL right (SENTINEL MASTERS)?"
    ),
    "certificate": Fault("certificate", "The sentinels cannot be reached over TLS"),
    "password_needed": _permanent(
        "sentinel_password_needed",
        "The sentinels ask for a password",
        "Put it in the URL: ?sentinel_username=NAME&sentinel_password=PASSWORD.",
    ),
    "wrong_password": _permanent(
        "sentinel_wrong_password",
        "The sentinels refuse this user or password",
        "Correct ?sentinel_username= and ?sentinel_password= in the URL. Is this a sentinel's port (26379)?",
    ),
    "password_unknown": _permanent(
        "sentinel_password_unknown", "The sentinels have no password", "Remove ?sentinel_password= from the URL."
    ),
    "no_permission": _permanent(
        "sentinel_no_permission",
        "The sentinels refuse this user",
        "Allow it the command SENTINEL GET-MASTER-ADDR-BY-NAME.",
    ),
}
