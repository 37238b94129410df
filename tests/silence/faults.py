"""The faults: how each is caused here, what must be said of it, and what the troubleshooting guide says.

`python -m tests.silence.faults` writes the table of docs/troubleshooting.md.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.patience import eventually
from tests.silence.world import World, machine_off_by

GUIDE = Path(__file__).parents[2] / "docs/troubleshooting.md"
NOTHING = "(nothing: it is over)"
BEGIN, END = "<!-- faults -->\n", "<!-- end of faults -->\n"

Cause = Callable[[World], Iterator[None]]
CLOCKS = frozenset({"leader", "standby"})
ALL = frozenset({"leader", "standby", "worker"})
NOBODY, LEADER, WORKER = frozenset[str](), frozenset({"leader"}), frozenset({"worker"})


@dataclass(frozen=True)
class Fault:
    """A way not to work. `who` must report `says` and `cure`; everybody else must work, or report it as well.

    `clock status` and `clock doctor` must report `status`, or `cure` if it is empty. `means` and `do` are for the
    guide. `exits`: a process that starts under the fault ends with one line and exit code 1.
    """

    name: str
    cause: Cause
    says: str
    cure: str
    who: frozenset[str]
    means: str
    do: str
    exits: bool = False
    status: str = ""


def acl(*rules: str) -> Cause:
    """Take rights from the user, for connections that are open as well."""

    def cause(world: World) -> Iterator[None]:
        world.admin.execute_command("ACL", "SETUSER", "app", *rules)
        yield
        world.server.allow_all()

    return cause


def cut_off(*rules: str) -> Cause:
    """Change the user, and close its connections."""

    def cause(world: World) -> Iterator[None]:
        world.admin.execute_command("ACL", "SETUSER", "app", *rules)
        world.proxy.cut()
        yield
        world.server.allow_all()

    return cause


def setting(**values: str) -> Cause:
    """Change settings of the server."""

    def cause(world: World) -> Iterator[None]:
        names = {name.replace("_", "-"): value for name, value in values.items()}
        before = {name: world.admin.config_get(name)[name] for name in names}
        for name, value in names.items():
            world.admin.config_set(name, value)
        yield
        for name, value in before.items():
            world.admin.config_set(name, value)

    return cause


def wrong_type(key: str, *command: str) -> Cause:
    """Have another program write something else under a key of ours."""

    def cause(world: World) -> Iterator[None]:
        aside = f"aside:{key}"
        with suppress(RedisError):  # it is not there
            world.admin.rename(key, aside)
        world.admin.execute_command(*(command or ("SET", key, "nonsense")))
        yield
        world.admin.delete(key)
        with suppress(RedisError):
            world.admin.rename(aside, key)

    return cause


def answers(line: str) -> Cause:
    """Have the server answer each command so."""

    def cause(world: World) -> Iterator[None]:
        world.proxy.answer = f"-{line}\r\n".encode()
        yield
        world.proxy.answer = None
        world.proxy.cut()

    return cause


def frozen(world: World) -> Iterator[None]:
    world.server.popen.send_signal(signal.SIGSTOP)
    yield
    world.server.popen.send_signal(signal.SIGCONT)


def half_open(world: World) -> Iterator[None]:
    world.proxy.is_silent = True
    yield
    world.proxy.is_silent = False
    world.proxy.cut()


def away(world: World) -> Iterator[None]:
    world.proxy.is_closed = True
    world.proxy.cut()
    yield
    world.proxy.is_closed = False


def replica(world: World) -> Iterator[None]:
    world.admin.replicaof("127.0.0.1", "1")
    yield
    world.admin.replicaof("NO", "ONE")


def replica_without_data(world: World) -> Iterator[None]:
    world.admin.config_set("replica-serve-stale-data", "no")
    world.admin.replicaof("127.0.0.1", "1")
    yield
    world.admin.replicaof("NO", "ONE")
    world.admin.config_set("replica-serve-stale-data", "yes")


def no_disk(world: World) -> Iterator[None]:
    """The folder of snapshots is gone."""

    def status() -> str:
        return str(world.admin.info("persistence")["rdb_last_bgsave_status"])

    before = world.admin.config_get("dir")["dir"]
    folder = Path(str(before)) / "gone"
    folder.mkdir(exist_ok=True)
    world.admin.config_set("dir", str(folder))
    world.admin.config_set("save", "3600 1000000")
    folder.rmdir()
    world.admin.bgsave()
    eventually(lambda: status() != "ok", "a snapshot that fails")
    yield
    world.admin.config_set("dir", str(before))
    world.admin.config_set("save", "")
    world.admin.bgsave()
    eventually(lambda: status() == "ok", "a snapshot that succeeds")


def busy(world: World) -> Iterator[None]:
    world.admin.config_set("busy-reply-threshold", "50")

    def run() -> None:
        with suppress(RedisError), Redis.from_url(f"redis://admin:admin@127.0.0.1:{world.server.port}") as link:
            link.eval("while true do end", 0)

    threading.Thread(target=run, daemon=True).start()
    yield
    world.admin.script_kill()
    eventually(lambda: answers_again(world.admin), "an answer")
    world.admin.config_set("busy-reply-threshold", "5000")


def answers_again(redis: Redis) -> bool:
    with suppress(RedisError):
        return bool(redis.ping())
    return False


def no_free_connection(world: World) -> Iterator[None]:
    before = world.admin.config_get("maxclients")["maxclients"]
    with ExitStack() as links:
        world.admin.config_set("maxclients", "30")
        world.proxy.cut()
        with suppress(RedisError):
            for _ in range(60):
                link = Redis.from_url(
                    f"redis://admin:admin@127.0.0.1:{world.server.port}", single_connection_client=True
                )
                links.callback(link.close)
                link.ping()
        yield
    world.admin.config_set("maxclients", str(before))


def skewed(world: World) -> Iterator[None]:
    with ExitStack() as stack:
        for role in world.clocks:
            stack.enter_context(machine_off_by(role, -3600))
        yield


def unknown_rank(world: World) -> Iterator[None]:
    world.admin.delete("clock:lease")
    world.admin.hset("clock:lease", mapping={"identity": "other:1:a", "release": "x", "rank": "newest"})
    world.admin.pexpire("clock:lease", 4000)
    yield


def unserved(world: World) -> Iterator[None]:
    world.admin.sadd("queues", "nobodys")
    world.admin.lpush("queue:nobodys", '{"class": "NobodysJob", "args": [], "jid": "n", "queue": "nobodys"}')
    yield
    world.admin.delete("queue:nobodys")


def unreadable_rows(world: World) -> Iterator[None]:
    world.timetable.synced[0].load.fail = True  # type: ignore[attr-defined]  # our own function
    yield
    world.timetable.synced[0].load.fail = False  # type: ignore[attr-defined]  # our own function


ALL_KEYS = ["queue*", "schedule", "retry", "dead", "processes", "stat:*", "j|*", "h|*", "clock:*", "*:*:*"]
_GIVE = "Give the user the permissions of [Users](deploying.md#users)."
_TYPE = "Another program has written a key that belongs to clock or Sidekiq."
_RENAME = "`clock doctor` names the key. Rename it or delete it."
_PRIMARY = "Wait for the fail-over to end, or set `REDIS_URL` to the primary."
_TO_USE_A_CLUSTER = "Write `redis+cluster://` and set `CLOCK_NAMESPACE` ([guide](scaling.md#cluster))."


#: How the line begins, by the cause.
LINES = {
    "no_permission": "Redis refuses a command to this user",
    "wrong_password": "Redis refuses this user or password",
    "password_needed": "Redis asks for a password",
    "read_only": "Redis is a read-only replica",
    "master_down|read_only": "Redis is a re",
    "no_replicas": "Redis lacks replicas and refuses to write",
    "out_of_memory": "Redis is out of memory",
    "disk_error": "Redis cannot save to its disk and refuses to write",
    "busy_script": "Redis is busy with a script",
    "loading": "Redis is loading its data",
    "no_answer": "Redis does not answer",
    "unreachable": "Redis cannot be reached",
    "too_many_clients": "Redis accepts no more clients",
    "cluster": "This is a Redis Cluster",
    "cluster_down": "The Redis Cluster is down",
    "unknown_command": "Redis does not know a command",
    "skew": "Local clock differs from Redis",
    "rows:": "could not reload events from the database",
    "no_worker:nobodys": "Jobs wait in the queue",
}


#: With these, a process that starts cannot even ask which server it is.
AWAY = frozenset({"no_answer", "unreachable", "too_many_clients", "loading", "busy_script", "cluster_down"})


def no_permission(what: str, *rules: str, who: frozenset[str] = ALL) -> Fault:
    means = "The user in the URL lacks a permission that clock needs."
    return Fault(
        f"no permission {what}", acl(*rules), "no_permission", "docs/deploying.md", who, means, _GIVE, True
    )


def no_user(name: str, *rules: str) -> Fault:
    means, do = "The user or the password in the URL is wrong.", "Correct the URL and restart the process."
    return Fault(name, cut_off(*rules), "wrong_password", "Correct the URL", ALL, means, do, True)


def cluster(name: str, answer: str) -> Fault:
    means = "The server is part of a Redis Cluster."
    return Fault(name, answers(answer), "cluster", "CLOCK_NAMESPACE", ALL, means, _TO_USE_A_CLUSTER, True)


def wrong(key: str, who: frozenset[str], says: str = "", cure: str = "ename or delete it") -> Fault:
    name = f"wrong type of `{key}`"
    says = says or f"wrong_type|the key {key} holds"
    return Fault(name, wrong_type(key), says, cure, who, _TYPE, _RENAME, status=key)


FAULTS: Sequence[Fault] = (
    no_permission("for any key", "resetkeys"),
    no_permission(
        "for the clock's keys", "resetkeys", "~queue*", "~schedule", "~retry", "~processes", "~paused", "~stat:*"
    ),
    no_permission(
        "for queues",
        "resetkeys",
        "~clock:*",
        "~schedule",
        "~retry",
        "~processes",
        "~paused",
        "~stat:*",
        who=WORKER,
    ),
    no_permission("for scripts", "-@scripting"),
    no_permission("for EVALSHA", "-evalsha"),
    no_permission("for TIME", "-time"),
    no_permission("to wait", "-@blocking", who=frozenset({"standby", "worker"})),
    no_permission("to write", "-@write"),
    no_permission("to read", "-@read"),
    no_permission("for channels", "resetchannels", who=WORKER),
    no_permission("for HGETALL", "-hgetall", who=CLOCKS),
    no_permission("for SMEMBERS", "-smembers"),
    no_permission("for XADD", "-xadd"),
    no_permission("for INCRBY", "-incrby", who=WORKER),
    no_permission("for HINCRBY", "-hincrby", who=WORKER),
    no_permission("for the dead", "resetkeys", *(f"~{key}" for key in ALL_KEYS if key != "dead"), who=WORKER),
    no_user("the password was changed", "resetpass", ">other"),
    no_user("the user was disabled", "off"),
    Fault(
        "a password is needed",
        answers("NOAUTH Authentication required."),
        "password_needed",
        "Put it in the URL",
        ALL,
        "Redis requires a password, and the URL has none.",
        "Put it in the URL: `redis://:PASSWORD@HOST`.",
        exits=True,
    ),
    Fault(
        "a replica",
        replica,
        "read_only",
        "fail-over",
        ALL,
        "The server is a replica: it refuses every write.",
        _PRIMARY,
        status="replica",
    ),
    Fault(
        "a replica without its primary",
        replica_without_data,
        "master_down|read_only",
        "fail-over",
        ALL,
        "The server is a replica that has lost its primary.",
        _PRIMARY,
        status="replica",
    ),
    Fault(
        "too few replicas",
        setting(min_replicas_to_write="3"),
        "no_replicas",
        "replicas",
        ALL,
        "The server refuses writes until enough replicas follow it.",
        "Start its replicas, or lower `min-replicas-to-write`.",
        status="replica",
    ),
    Fault(
        "full memory",
        setting(maxmemory="1", maxmemory_policy="noeviction"),
        "out_of_memory",
        "maxmemory",
        ALL,
        "The server has reached `maxmemory` and refuses writes.",
        "Free memory, or raise `maxmemory`. Keep `maxmemory-policy noeviction`.",
        status="memory",
    ),
    Fault(
        "a disk that fails",
        no_disk,
        "disk_error",
        "disk",
        ALL,
        "The server could not save to its disk, and refuses writes.",
        "Read the server's log for the reason; often its disk is full.",
        status="disk",
    ),
    Fault(
        "a long script",
        busy,
        "busy_script",
        "SCRIPT KILL",
        ALL,
        "A script of another program keeps the server busy.",
        "End it with `redis-cli SCRIPT KILL`.",
    ),
    Fault(
        "loading",
        answers("LOADING Redis is loading the dataset in memory"),
        "loading",
        "when it is ready",
        ALL,
        "The server has just started and reads its data.",
        "Wait.",
    ),
    Fault(
        "a frozen server",
        frozen,
        "no_answer",
        "hang",
        ALL,
        "The server's process is suspended or overloaded.",
        "Check the server: `redis-cli PING`, its log, its CPU.",
    ),
    Fault(
        "a network that drops every packet",
        half_open,
        "no_answer",
        "hang",
        ALL,
        "Connections are open, but no data arrive: a firewall, a proxy, a cut cable.",
        "Check the path: `redis-cli -u URL PING` from this machine.",
    ),
    Fault(
        "no server",
        away,
        "unreachable",
        "Is it running",
        ALL,
        "No server answers at the address.",
        "Start the server, or correct the address.",
    ),
    Fault(
        "no free connection",
        no_free_connection,
        "too_many_clients",
        "maxclients",
        ALL,
        "The server has reached `maxclients`.",
        "Raise `maxclients`, or find with `CLIENT LIST` the clients that use the connections.",
    ),
    cluster("cluster mode, MOVED", "MOVED 3999 127.0.0.1:6381"),
    cluster("cluster mode, CROSSSLOT", "CROSSSLOT Keys in request don't hash to the same slot"),
    Fault(
        "cluster mode, CLUSTERDOWN",
        answers("CLUSTERDOWN The cluster is down"),
        "cluster_down",
        "--cluster check",
        ALL,
        "Some hash slots of the Redis Cluster have no primary.",
        "Wait for the fail-over to end, or find the missing nodes with `redis-cli --cluster check`.",
        False,
    ),
    Fault(
        "a command that Redis does not know",
        answers("ERR unknown command 'EVALSHA', with args beginning with: "),
        "unknown_command",
        "disabled",
        ALL,
        "The server is too old, or a command is renamed or disabled.",
        "Use Redis 6.2 or Valkey 7.2 or newer, with all commands.",
        exits=True,
    ),
    wrong("clock:ledger:decided", LEADER),
    wrong("clock:ledger:declaration", LEADER),
    wrong("clock:ledger:anchor", CLOCKS),
    wrong("clock:ledger:orphaned", CLOCKS),
    wrong("clock:ledger:renamed", CLOCKS),
    wrong("clock:paused", CLOCKS),
    wrong("clock:clocks", CLOCKS),
    wrong("clock:workers", WORKER),
    wrong("clock:hand_over", frozenset({"standby"})),
    wrong("clock:parked", WORKER, "Could not read parked jobs"),
    wrong("processes", WORKER),
    wrong("queues", ALL),
    wrong("queue:default", frozenset({"leader", "worker"})),
    wrong("schedule", WORKER),
    wrong("retry", WORKER),
    # the clocks and workers work on
    wrong("dead", NOBODY, cure=""),
    wrong("stat:processed", NOBODY, cure=""),
    Fault(
        "wrong type of `clock:next_due`",
        wrong_type("clock:next_due"),
        "",
        "",
        NOBODY,
        _TYPE,
        "Nothing: a clock replaces the key at once.",
        status=NOTHING,
    ),
    Fault(
        "wrong type of `clock:lease`",
        wrong_type("clock:lease"),
        "",
        "a clock replaced it",
        NOBODY,
        _TYPE,
        "Nothing: a clock replaces the key at once.",
        status=NOTHING,
    ),
    Fault(
        "a lease of an unknown rank",
        unknown_rank,
        "",
        "a clock replaced it",
        NOBODY,
        _TYPE,
        "Nothing: a clock replaces the key at once.",
        status=NOTHING,
    ),
    Fault(
        "a machine with a wrong time",
        skewed,
        "skew",
        "NTP",
        CLOCKS,
        "The machine's time differs from Redis's. Events run by Redis's time; your own code reads the machine's.",
        "Set the machine's time with NTP (`timedatectl`).",
        status="NTP",
    ),
    Fault(
        "rows that cannot be read",
        unreadable_rows,
        "rows:",
        "Check the database",
        LEADER,
        "The function given to `sync_events` raises. The events stay unchanged.",
        "Repair the database or the function.",
        status="could not reload events from the database",
    ),
    Fault(
        "a queue without a worker",
        unserved,
        "no_worker:nobodys",
        "clock worker -q nobodys",
        ALL,
        "Jobs wait in a queue that no worker processes.",
        "Start a worker for it: `clock worker -q QUEUE`.",
        status="nobodys",
    ),
)


@contextmanager
def caused(fault: Fault, world: World) -> Iterator[None]:
    """The fault, for the block."""
    steps = fault.cause(world)
    next(steps)
    try:
        yield
    finally:
        next(steps, None)


def table() -> str:
    """The table of the guide: a row for each line of the log."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for fault in FAULTS:
        cells = (_quoted(fault), fault.means, fault.do, _at_the_start(fault))
        rows.setdefault(cells, []).append(fault.name)
    lines = [
        "| line in the log | meaning | what to do | at the start | tested with |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {' | '.join((*cells, _joined(names)))} |" for cells, names in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def _joined(names: Sequence[str]) -> str:
    """The names, with what all of them begin with written once."""
    common = next(
        (each for each in ("no permission ", "wrong type of ", "cluster mode, ") if names[0].startswith(each)), ""
    )
    return common + ", ".join(name.removeprefix(common) for name in names)


def _at_the_start(fault: Fault) -> str:
    if fault.exits:
        return "exit 1"
    return "waits 10 s, then exit 1" if fault.says in AWAY else "waits"


def _quoted(fault: Fault) -> str:
    """The words of the log line by which to find the row."""
    if fault.says == "master_down|read_only":
        return "`Redis is a replica without its primary` or `a read-only replica`"
    if fault.says in LINES:
        return f"`{LINES[fault.says]}`"
    if fault.status in ("", NOTHING):
        return "one line or none: the fault ends at once"
    return "`the key ... holds`, or `has the wrong type`"


def write() -> None:
    """Write the table into the guide."""
    text = GUIDE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    GUIDE.write_text(before + BEGIN + table() + END + after)


if __name__ == "__main__":
    write()
