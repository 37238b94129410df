"""Every setting: its name, what it may be, and by which option and variable it can be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clock.config import capsules, setting_types
from clock.config.capsules import Capsule
from clock.config.schedule_file import Declared


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a process; `redis_source` says where `redis` was given.

    `queues` are (name, weight) in order, weight 0 for a strict order.
    `schedule` holds the events that are declared in YAML.
    `health_port` is where health and metrics are told by HTTP, on the address `health_host`; None: nowhere.
    """

    redis: str | None = None
    redis_source: str = "REDIS_URL"
    clock_file: Path = Path("lib/clock.py")
    schedule_file: Path | None = None
    require: tuple[Path, ...] = (Path("jobs"),)
    queues: tuple[tuple[str, int], ...] = (("default", 0),)
    capsules: tuple[Capsule, ...] = ()
    concurrency: int = 10
    processes: int = 1
    stop_timeout: float = 25.0
    push_timeout: float = 5.0
    heartbeat: float = 5.0
    max_retries: int = 25
    dead_max_jobs: int = 10_000
    dead_timeout: float = 180 * 86_400.0
    frozen_timeout: float = 1800.0
    health_port: int | None = None
    health_host: str = "127.0.0.1"
    overdue_after: float = 60.0
    log_format: str = "text"
    log_level: str = "info"
    schedule: tuple[Declared, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One of them. `read` raises ValueError for what `accepted` does not speak of; `schema` is for editors."""

    name: str
    about: str
    read: Callable[[object], object]
    accepted: str
    option: str
    schema: Mapping[str, object]
    variable: str | None = None

    @property
    def default(self) -> object:
        """Its value where nobody gives one."""
        return getattr(Config(), self.name)


_QUEUE_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "array",
                "prefixItems": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}],
                "minItems": 2,
                "maxItems": 2,
            },
        ]
    },
}

SETTINGS = (
    Setting(
        "redis",
        "the URL of Redis; without it, the embedded Valkey of this folder",
        setting_types.url,
        "it must be a URL: redis://host:6379/0",
        "--redis",
        {"type": "string", "pattern": r"^(rediss?|unix|rediss?\+sentinel)://|^\$\{"},
        "REDIS_URL",
    ),
    Setting(
        "clock_file",
        "the file that declares the events",
        setting_types.path,
        "it must be a path: lib/clock.py",
        "CLOCK_FILE",
        {"type": "string", "minLength": 1},
    ),
    Setting(
        "schedule_file",
        "a YAML file of further events, such as sidekiq-cron's and sidekiq-scheduler's",
        setting_types.path,
        "it must be a path: config/schedule.yml",
        "--schedule-file",
        {"type": "string", "minLength": 1},
        "CLOCK_SCHEDULE_FILE",
    ),
    Setting(
        "require",
        "the folders of the jobs: a worker imports every module under them",
        setting_types.paths,
        "it must be a folder or a list of folders: jobs",
        "--require",
        {
            "oneOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "items": {"type": "string"}},
            ]
        },
    ),
    Setting(
        "queues",
        "the queues that a worker takes jobs from, in this order, or by weight",
        setting_types.queues,
        "it must be a list: [critical, default], or [[critical, 4], [default, 1]] with weights; as options, "
        "-q critical,4 -q default,1",
        "--queue",
        _QUEUE_SCHEMA,
    ),
    Setting(
        "capsules",
        "queues that get their own worker processes and concurrency",
        capsules.read,
        "it must be a mapping: {single: {concurrency: 1, queues: [serial]}}",
        "capsules in the settings file",
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"queues": _QUEUE_SCHEMA, "concurrency": {"type": "integer", "minimum": 1}},
                "required": ["queues"],
                "additionalProperties": False,
            },
        },
    ),
    Setting(
        "concurrency",
        "number of jobs that a worker runs at once",
        setting_types.count,
        "it must be a whole number above 0",
        "--concurrency",
        {"type": "integer", "minimum": 1},
        "CLOCK_CONCURRENCY",
    ),
    Setting(
        "processes",
        "number of worker processes, each with that concurrency; use several to use all cores",
        setting_types.count,
        "it must be a whole number above 0",
        "--processes",
        {"type": "integer", "minimum": 1},
        "CLOCK_PROCESSES",
    ),
    Setting(
        "stop_timeout",
        "seconds that a worker waits for running jobs when it is stopped",
        setting_types.seconds,
        "it must be a number of seconds, from 0 to a day",
        "--timeout",
        {"type": "number", "minimum": 0, "exclusiveMaximum": 86_400},
        "CLOCK_STOP_TIMEOUT",
    ),
    Setting(
        "push_timeout",
        "seconds after which a push that Redis does not answer fails, waiting for a connection included",
        setting_types.limit,
        "it must be a number of seconds, above 0 and at most a day",
        "CLOCK_PUSH_TIMEOUT",
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 86_400},
        "CLOCK_PUSH_TIMEOUT",
    ),
    Setting(
        "heartbeat",
        "seconds between two heartbeats of a worker; after four missed ones, other workers run its jobs",
        setting_types.interval,
        "it must be a number of seconds, above 0 and at most 15",
        "CLOCK_HEARTBEAT",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 15},
        "CLOCK_HEARTBEAT",
    ),
    Setting(
        "max_retries",
        "how many times a failed job with retry = True is retried",
        setting_types.number,
        "it must be a whole number, 0 or above",
        "CLOCK_MAX_RETRIES",
        {"type": "integer", "minimum": 0},
        "CLOCK_MAX_RETRIES",
    ),
    Setting(
        "dead_max_jobs",
        "number of dead jobs that are kept; older ones are removed when another job dies",
        setting_types.number,
        "it must be a whole number, 0 or above",
        "CLOCK_DEAD_MAX_JOBS",
        {"type": "integer", "minimum": 0},
        "CLOCK_DEAD_MAX_JOBS",
    ),
    Setting(
        "dead_timeout",
        "seconds that a dead job is kept: 180 days; older ones are removed when another job dies",
        setting_types.long_limit,
        "it must be a number of seconds, above 0",
        "CLOCK_DEAD_TIMEOUT",
        {"type": "number", "exclusiveMinimum": 0},
        "CLOCK_DEAD_TIMEOUT",
    ),
    Setting(
        "frozen_timeout",
        "seconds until a worker in which no thread can run, because a job holds the interpreter lock, is killed; "
        "0: never",
        setting_types.seconds,
        "it must be a number of seconds, from 0 to a day",
        "--frozen-timeout",
        {"type": "number", "minimum": 0, "exclusiveMaximum": 86_400},
        "CLOCK_FROZEN_TIMEOUT",
    ),
    Setting(
        "health_port",
        "the port of the health checks and metrics",
        setting_types.port,
        "it must be a port, from 1 to 65535",
        "--health-port",
        {"type": "integer", "minimum": 1, "maximum": 65_535},
        "CLOCK_HEALTH_PORT",
    ),
    Setting(
        "health_host",
        "the address of the health port; containers need 0.0.0.0, which means all addresses",
        setting_types.text,
        "it must be an address: 127.0.0.1, 0.0.0.0, ::",
        "--health-host",
        {"type": "string", "minLength": 1},
        "CLOCK_HEALTH_HOST",
    ),
    Setting(
        "overdue_after",
        "seconds that a run, a tick or a fetch may be late before the process is not ready",
        setting_types.limit,
        "it must be a number of seconds, above 0 and at most a day",
        "CLOCK_OVERDUE_AFTER",
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 86_400},
        "CLOCK_OVERDUE_AFTER",
    ),
    Setting(
        "log_format",
        "text for people, json for machines",
        setting_types.one_of("text", "json"),
        "it must be text or json",
        "--log-format",
        {"enum": ["text", "json"]},
        "CLOCK_LOG_FORMAT",
    ),
    Setting(
        "log_level",
        "what is logged: this level and those above it",
        setting_types.one_of("debug", "info", "warning", "error"),
        "it must be debug, info, warning or error",
        "--log-level",
        {"enum": ["debug", "info", "warning", "error"]},
        "CLOCK_LOG_LEVEL",
    ),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}
