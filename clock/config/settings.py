"""Every setting: its name, its type, its option and its variable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar

from clock.config.setting_types import (
    ADDRESS,
    CAPSULES,
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
    Capsule,
    Kind,
    one_of,
    path_like,
)
from clock.errors import ConfigurationError
from clock.printable import closest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Declared:
    """An event of a YAML file: its name, its fields, and its place: `config/clock.yml:12`.

    `is_rubys` if it was written for sidekiq-cron or sidekiq-scheduler.
    """

    name: str
    values: Mapping[str, object]
    where: str
    is_rubys: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting. The options of commands, `clock config`, the settings file and its schema all read this table.

    `about` describes it; the command line shows it, too. `flags` are its options, of `clock worker` only if
    `is_of_worker`.
    """

    name: str
    default: object
    about: str
    kind: Kind
    flags: tuple[str, ...]
    is_of_worker: bool

    @property
    def variable(self) -> str | None:
        """Its environment variable."""
        return _VARIABLES.get(self.name, f"CLOCK_{self.name.upper()}")

    @property
    def option(self) -> str:
        """Its option on the command line, or its name without an option."""
        return self.flags[0] if self.flags else self.name

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


def _setting(default: T, about: str, kind: Kind, *flags: str, is_of_worker: bool = False) -> T:
    """A field of `Config` that is a setting: the arguments are those of `Setting`."""
    how = {"about": about, "kind": kind, "flags": flags, "is_of_worker": is_of_worker}
    found: T = field(default=default, metadata=how)
    return found


def _of_worker(default: T, about: str, kind: Kind, *flags: str) -> T:
    return _setting(default, about, kind, *flags, is_of_worker=True)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a process; `redis_source` is the source of `redis`, `schedule` the events declared in YAML.

    `queues` are (name, weight) in order, weight 0 for a strict order.
    """

    redis: str | None = _setting(None, "URL of Redis; without it, this folder's embedded Valkey", URL, "--redis")
    redis_source: str = "REDIS_URL"
    namespace: str | None = _setting(
        None,
        "name before every key in Redis, as {NAME}: several applications can share a server; a cluster needs it",
        NAMESPACE,
        "--namespace",
    )
    shards: int = _setting(
        1, "number of shards over which jobs without rules are spread; 1: all jobs are in one namespace", SHARDS
    )
    redis_urls: tuple[str, ...] = _setting(
        (), "URLs of servers that are the shards; the first one holds the rest of the data", URLS
    )
    clock_file: Path = _setting(
        Path("lib/clock.py"), "clock file, which declares the events", path_like("lib/clock.py"), "CLOCK_FILE"
    )
    schedule_file: Path | None = _setting(
        None,
        "YAML file with more events, such as sidekiq-cron's and sidekiq-scheduler's",
        path_like("config/schedule.yml"),
        "--schedule-file",
    )
    require: tuple[Path, ...] = _of_worker(
        (Path("jobs"),), "folders or files of jobs; a worker imports all of them", FOLDERS, "--require", "-r"
    )
    queues: tuple[tuple[str, int], ...] = _of_worker(
        (("default", 0),), "queues from which jobs are taken, in this order or by weight", QUEUES, "--queue", "-q"
    )
    capsules: tuple[Capsule, ...] = _setting(
        (), "queues that get their own worker processes and concurrency", CAPSULES
    )
    concurrency: int = _of_worker(
        10, "number of jobs that a worker process runs at once", THREADS, "--concurrency", "-c"
    )
    processes: int = _of_worker(
        1,
        "number of worker processes, each with that concurrency; use several to use all cores",
        THREADS,
        "--processes",
        "-p",
    )
    stop_timeout: float = _of_worker(
        25.0, "seconds that a stopping worker waits for running jobs", SECONDS, "--timeout", "-t"
    )
    push_timeout: float = _setting(
        5.0,
        "seconds after which a push fails if Redis does not answer, including the wait for a connection",
        LIMIT,
    )
    durable: int = _setting(
        0,
        "number of replicas that must confirm each push and each run within a second; 0: do not wait for them",
        REPLICAS,
    )
    heartbeat: float = _setting(
        5.0,
        "seconds between two heartbeats of a worker; if four are missing, other workers run its jobs",
        INTERVAL,
    )
    max_retries: int = _setting(25, "number of retries of a failed job with retry = True", NUMBER)
    dead_max_jobs: int = _setting(
        10_000, "number of dead jobs that are kept; older ones are removed when another job dies", NUMBER
    )
    dead_timeout: float = _setting(
        180 * 86_400.0,
        "seconds that a dead job is kept: 180 days; older ones are removed when another job dies",
        LONG_LIMIT,
    )
    frozen_timeout: float = _of_worker(
        1800.0,
        "seconds that a job may block the interpreter before its worker process is killed; 0: no limit",
        SECONDS,
        "--frozen-timeout",
    )
    max_jobs: int | None = _of_worker(
        None, "number of jobs after which a worker process ends and is replaced", COUNT, "--max-jobs"
    )
    max_memory: int | None = _of_worker(
        None, "MB of memory above which a worker process ends and is replaced", COUNT, "--max-memory"
    )
    health_port: int | None = _setting(None, "port that serves health checks and metrics", PORT, "--health-port")
    health_host: str = _setting(
        "127.0.0.1",
        "address of the health port; containers need 0.0.0.0, which means all addresses",
        ADDRESS,
        "--health-host",
    )
    overdue_after: float = _setting(
        60.0, "seconds that a run, a tick or a fetch may be late before the process is not ready", LIMIT
    )
    log_format: str = _setting(
        "text",
        "log format: text for people, json for machines",
        one_of("text", "json", metavar="FORMAT"),
        "--log-format",
    )
    log_level: str = _setting(
        "info",
        "lowest level that is logged: debug, info, warning or error",
        one_of("debug", "info", "warning", "error", metavar="LEVEL"),
        "--log-level",
    )
    schedule: tuple[Declared, ...] = ()

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The queues that workers with these settings process, also in capsules."""
        return tuple(
            name for queues in (self.queues, *(one.queues for one in self.capsules)) for name, _ in queues
        )


SETTINGS = tuple(Setting(one.name, one.default, **one.metadata) for one in fields(Config) if one.metadata)
BY_NAME = {setting.name: setting for setting in SETTINGS}

#: Settings that may hold passwords, and how errors describe an invalid value.
_SECRET = {"redis": "not a URL", "redis_urls": "not a list of URLs"}


@dataclass(frozen=True, slots=True)
class Found:
    """A setting's value, and its source in words."""

    name: str
    value: object
    source: str


def checked(name: str, value: object, source: str, *, kind: Kind | None = None) -> Found:
    """The setting with its value as its `kind` reads it, by default that of the table.

    Raises ConfigurationError, which names the source, the setting and what it accepts.
    """
    kind = kind or BY_NAME[name].kind
    try:
        return Found(name, kind.read(value), source)
    except (ValueError, TypeError):
        given = value if isinstance(value, tuple) else (value,)
        shown = _SECRET.get(name) or ", ".join(f"{item!r:.100}" for item in given[:20])
        raise ConfigurationError(f"{source}: {name} is {shown}; {kind.accepted}") from None


def unknown_setting(name: object, source: str, known: Iterable[str] = BY_NAME) -> ConfigurationError:
    """The error for a name that is not a setting. It suggests the closest one of `known`."""
    hint = closest(str(name).lower(), known, f"available: {', '.join(known)}")
    return ConfigurationError(f"{source}: unknown setting {name!r:.60}; {hint}")
