"""Every setting: its name, its type, its option and its variable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clock.config import capsules
from clock.config.capsules import Capsule
from clock.config.declared import Declared
from clock.config.setting_types import (
    ADDRESS,
    COUNT,
    FOLDERS,
    INTERVAL,
    LIMIT,
    LONG_LIMIT,
    NAMESPACE,
    NUMBER,
    PORT,
    QUEUES,
    REPLICAS,
    SECONDS,
    SHARDS,
    THREADS,
    URL,
    URLS,
    Kind,
    one_of,
    path_like,
)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a process; `redis_source` is the source of `redis`.

    `redis_urls` are the servers of the shards, if each shard has its own.
    `queues` are (name, weight) in order, weight 0 for a strict order. `schedule` holds the events that are
    declared in YAML. `health_port` is the HTTP port for health and metrics, on the address `health_host`; None: no
    port.
    """

    redis: str | None = None
    redis_source: str = "REDIS_URL"
    namespace: str | None = None
    shards: int = 1
    redis_urls: tuple[str, ...] = ()
    clock_file: Path = Path("lib/clock.py")
    schedule_file: Path | None = None
    require: tuple[Path, ...] = (Path("jobs"),)
    queues: tuple[tuple[str, int], ...] = (("default", 0),)
    capsules: tuple[Capsule, ...] = ()
    concurrency: int = 10
    processes: int = 1
    stop_timeout: float = 25.0
    push_timeout: float = 5.0
    durable: int = 0
    heartbeat: float = 5.0
    max_retries: int = 25
    dead_max_jobs: int = 10_000
    dead_timeout: float = 180 * 86_400.0
    frozen_timeout: float = 1800.0
    max_jobs: int | None = None
    max_memory: int | None = None
    health_port: int | None = None
    health_host: str = "127.0.0.1"
    overdue_after: float = 60.0
    log_format: str = "text"
    log_level: str = "info"
    schedule: tuple[Declared, ...] = ()

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The queues that workers with these settings process, also in capsules."""
        return tuple(
            name for queues in (self.queues, *(one.queues for one in self.capsules)) for name, _ in queues
        )


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting. The options of commands, `clock config`, the settings file and its schema all read this table.

    `about` describes it; the command line shows it, too. `flags` are its options, of `clock worker` only if
    `is_of_worker`.
    """

    name: str
    about: str
    kind: Kind
    flags: tuple[str, ...] = ()
    is_of_worker: bool = False

    @property
    def variable(self) -> str | None:
        """Its environment variable."""
        return _VARIABLES.get(self.name, f"CLOCK_{self.name.upper()}")

    @property
    def option(self) -> str:
        """Its option on the command line, or its name without an option."""
        return self.flags[0] if self.flags else self.name

    @property
    def default(self) -> object:
        """Its default value."""
        return getattr(Config(), self.name)

    @property
    def shown_default(self) -> str:
        """The default for people; "none" without a default."""
        value = self.default
        if isinstance(value, tuple):
            return ", ".join(str(item[0] if isinstance(item, tuple) else item) for item in value) or "none"
        return "none" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


#: Variables whose names differ from their settings', and settings without a variable.
_VARIABLES = {
    "redis": "REDIS_URL",
    "redis_urls": "REDIS_URLS",
    "clock_file": None,
    "require": None,
    "queues": None,
    "capsules": None,
}


def _of_worker(name: str, about: str, kind: Kind, *flags: str) -> Setting:
    return Setting(name, about, kind, flags, is_of_worker=True)


SETTINGS = (
    Setting("redis", "URL of Redis; without it, this folder's embedded Valkey", URL, ("--redis",)),
    Setting(
        "namespace",
        "name before every key in Redis, as {NAME}: several applications can share a server; a cluster needs it",
        NAMESPACE,
        ("--namespace",),
    ),
    Setting(
        "shards",
        "number of shards over which jobs without rules are spread; 1: all jobs are in one namespace",
        SHARDS,
    ),
    Setting("redis_urls", "URLs of servers that are the shards; the first one holds the rest of the data", URLS),
    Setting("clock_file", "clock file, which declares the events", path_like("lib/clock.py"), ("CLOCK_FILE",)),
    Setting(
        "schedule_file",
        "YAML file with more events, such as sidekiq-cron's and sidekiq-scheduler's",
        path_like("config/schedule.yml"),
        ("--schedule-file",),
    ),
    _of_worker("require", "folders or files of jobs; a worker imports all of them", FOLDERS, "--require", "-r"),
    _of_worker("queues", "queues from which jobs are taken, in this order or by weight", QUEUES, "--queue", "-q"),
    Setting("capsules", "queues that get their own worker processes and concurrency", capsules.CAPSULES),
    _of_worker("concurrency", "number of jobs that a worker process runs at once", THREADS, "--concurrency", "-c"),
    _of_worker(
        "processes",
        "number of worker processes, each with that concurrency; use several to use all cores",
        THREADS,
        "--processes",
        "-p",
    ),
    _of_worker(
        "stop_timeout", "seconds that a stopping worker waits for running jobs", SECONDS, "--timeout", "-t"
    ),
    Setting(
        "push_timeout",
        "seconds after which a push fails if Redis does not answer, including the wait for a connection",
        LIMIT,
    ),
    Setting(
        "durable",
        "number of replicas that must confirm each push and each run within a second; 0: do not wait for them",
        REPLICAS,
    ),
    Setting(
        "heartbeat",
        "seconds between two heartbeats of a worker; if four are missing, other workers run its jobs",
        INTERVAL,
    ),
    Setting("max_retries", "number of retries of a failed job with retry = True", NUMBER),
    Setting(
        "dead_max_jobs",
        "number of dead jobs that are kept; older ones are removed when another job dies",
        NUMBER,
    ),
    Setting(
        "dead_timeout",
        "seconds that a dead job is kept: 180 days; older ones are removed when another job dies",
        LONG_LIMIT,
    ),
    _of_worker(
        "frozen_timeout",
        "seconds that a job may block the interpreter before its worker process is killed; 0: no limit",
        SECONDS,
        "--frozen-timeout",
    ),
    _of_worker(
        "max_jobs", "number of jobs after which a worker process ends and is replaced", COUNT, "--max-jobs"
    ),
    _of_worker(
        "max_memory", "MB of memory above which a worker process ends and is replaced", COUNT, "--max-memory"
    ),
    Setting("health_port", "port that serves health checks and metrics", PORT, ("--health-port",)),
    Setting(
        "health_host",
        "address of the health port; containers need 0.0.0.0, which means all addresses",
        ADDRESS,
        ("--health-host",),
    ),
    Setting(
        "overdue_after",
        "seconds that a run, a tick or a fetch may be late before the process is not ready",
        LIMIT,
    ),
    Setting(
        "log_format",
        "log format: text for people, json for machines",
        one_of("text", "json", metavar="FORMAT"),
        ("--log-format",),
    ),
    Setting(
        "log_level",
        "lowest level that is logged: debug, info, warning or error",
        one_of("debug", "info", "warning", "error", metavar="LEVEL"),
        ("--log-level",),
    ),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}
