"""Log lines: to stdout, one for each event, as text or as JSON.

The package's loggers (`clock` and those below it) have their own handler. If an application configures Python's
logging, by `dictConfig`, `fileConfig` or `basicConfig`, it replaces only the handler and the format of the
application's lines, and does not disable the package's loggers. If it names the logger `clock`, its handlers
replace ours.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

from clock.forking import in_child
from clock.printable import as_json_value, printable

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
MOST_GATHERED = 500  # lines
TRACEBACK_LIMIT = 100_000  # characters: a traceback holds the whole text of its error, which may be a page of data
_PACKAGE = "clock"  # the parent of all loggers of the package
#: The payload of the job that this thread or task runs, for its log lines.
running_job: ContextVar[Mapping[str, object] | None] = ContextVar("running job", default=None)


def configure_logging(log_format: str, level: str, *, stream: TextIO | None = None) -> None:
    """Send the program's log to `stream` (None: stdout) as `text` or `json`, from `level` (debug, info...) up."""
    global _ours  # the process's own
    formatter = JsonFormatter() if log_format == "json" else TextFormatter()
    write_gathered_lines()
    _ours = for_us = _OwnStream(stream or sys.stdout)
    for_application = _Stream(stream or sys.stdout)
    for handler in (for_application, for_us):
        handler.setFormatter(formatter)
    for_application.addFilter(_has_no_handler_of_its_own)
    logging.basicConfig(level=level.upper(), handlers=[for_application], force=True)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if type(logger) is logging.Logger and _is_ours(name):
            logger.__class__ = _OwnLogger
            logger.disabled = False
    package = logging.getLogger(_PACKAGE)
    package.__class__ = _PackageLogger
    package.handlers[:] = [for_us]
    package.setLevel(level.upper())
    logging.captureWarnings(True)


def log_to(logger: logging.Logger) -> None:
    """Send the package's own lines only to `logger`, which the clock file chose."""
    ours = logging.getLogger(_PACKAGE)
    ours.__class__ = _PackageLogger
    ours.disabled = False
    ours.handlers[:] = [_Relay(logger)]


def _has_no_handler_of_its_own(record: logging.LogRecord) -> bool:
    """False for a line of the package that the handlers of its logger, ours or an application's, have written."""
    return not (_is_ours(record.name) and logging.getLogger(_PACKAGE).handlers)


def _is_ours(logger: str) -> bool:
    return logger.startswith("clock.") or logger == _PACKAGE


class _OwnLogger(logging.Logger):
    """A logger of the package. An application's configuration that does not name it does not change it."""

    def __setattr__(self, name: str, value: object) -> None:
        """Never disable it, as `dictConfig` and `fileConfig` do by default with loggers that they do not name."""
        super().__setattr__(name, False if name == "disabled" else value)


class _PackageLogger(_OwnLogger):
    """The parent of all loggers of the package, with the package's own handler."""

    @property
    def propagate(self) -> bool:
        """Whether the handlers of parent loggers receive the lines, too: not while our own handler writes them."""
        for handler in self.handlers:  # called for each line
            if isinstance(handler, _Own):
                return False
        return bool(vars(self).get("propagate", True))

    @propagate.setter
    def propagate(self, value: bool) -> None:
        vars(self)["propagate"] = value


class JobLogContext:
    """Inside the block, the log lines of this thread or task carry the fields of the job with this payload."""

    __slots__ = ("_payload", "_token")
    _token: Token[Mapping[str, object] | None]

    def __init__(self, payload: Mapping[str, object]) -> None:
        self._payload = payload

    def __enter__(self) -> None:
        self._token = running_job.set(self._payload)

    def __exit__(self, *_: object) -> None:
        running_job.reset(self._token)


class JobFields(logging.Filter):
    """Adds to each record the fields `jid`, `class` and `event` of the job that runs, empty outside of jobs.

    For an application's own handlers: `"filters": {"job": {"()": "clock.log.JobFields"}}`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields that the record lacks. Always True: the record is written."""
        for name, value in {"jid": "", "class": "", "event": "", **fields_of(running_job.get())}.items():
            vars(record).setdefault(name, value)
        return True


def fields_of(payload: Mapping[str, object] | None) -> dict[str, object]:
    """The jid and class of a job, and the event that pushed it if there is one; empty without a payload."""
    if payload is None:
        return {}
    firing = payload.get("clock")
    event = firing.get("event") if isinstance(firing, Mapping) else None
    return {"jid": payload.get("jid"), "class": payload.get("class")} | ({"event": event} if event else {})


class _Own(logging.Handler):
    """A handler that the package has put on its logger."""


class _Stream(logging.StreamHandler[TextIO]):
    """Writes records after the gathered lines of the package, so all lines are in the order of their logging."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Skip a line that cannot be written, because of a full disk or a closed pipe: work continues."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after the gathered lines."""
        write_gathered_lines()
        super().emit(record)

    def flush(self) -> None:
        """Write all that is not written yet. `logging` calls it when the process ends."""
        write_gathered_lines()
        super().flush()


class _OwnStream(_Stream, _Own):
    """Writes the package's records, and gathers lines of short jobs: one system call writes many."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.gathered: list[str] = []  # lines are removed only with the handler's lock

    def write(self, line: str, *, at_once: bool) -> None:
        """Write a line without a record, or gather it for the next `write_gathered`."""
        self.gathered.append(line)
        if at_once or len(self.gathered) >= MOST_GATHERED:
            self.write_gathered()

    def write_gathered(self) -> None:
        """Write the gathered lines; waits for those that another thread writes."""
        with self.lock or nullcontext():
            lines = self.gathered[:]
            del self.gathered[: len(lines)]
            try:
                if lines:
                    self._write(lines)
            except UnicodeEncodeError:  # of one line
                for line in lines:
                    self._write([line])

    def _write(self, lines: Sequence[str]) -> None:
        try:
            self.stream.write(self.terminator.join([*lines, ""]))
            self.stream.flush()
        except UnicodeEncodeError:
            if len(lines) > 1:
                raise
            self.handleError(logging.makeLogRecord({"msg": lines[0]}))
        except Exception:  # noqa: BLE001  # no line may end its job
            self.handleError(logging.makeLogRecord({"msg": self.terminator.join(lines)}))


_ours: _OwnStream | None = None


def write_gathered_lines() -> None:
    """Write the lines that `write_info` has gathered.

    A worker calls it before it acknowledges the jobs of these lines, a clock after the events of a tick.
    """
    if _ours is not None:
        _ours.write_gathered()


def _forget_gathered_lines() -> None:
    """In a forked child: its parent writes them."""
    if _ours is not None:
        _ours.gathered.clear()


in_child(_forget_gathered_lines)


class _Relay(_Own):
    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record to the other logger, which applies its own level and handlers."""
        if self._logger.isEnabledFor(record.levelno):
            self._logger.handle(record)


def write_info(logger: logging.Logger, message: str, created: float, *, at_once: bool) -> bool:
    """Write a line of text at level INFO without a record, six times as fast. False: a record is needed.

    `created` is the time of the line, in float seconds since 1970. Without `at_once`, the line is written with the
    next `write_gathered_lines`, or before the next record.
    """
    handler = _only_reader(logger)
    if handler is None:
        return False
    handler.write(printable(f"{_time(created)} INFO {message.rstrip()}"), at_once=at_once)
    return True


def _only_reader(logger: logging.Logger) -> _OwnStream | None:
    """The package's own text handler, if no handler, filter or factory of the application receives the record."""
    handlers = logger.parent.handlers if logger.parent and logger.propagate else []
    if len(handlers) != 1 or logger.handlers or logger.filters:
        return None
    handler = handlers[0]
    if not isinstance(handler, _OwnStream) or handler.filters or handler.level > logging.INFO:
        return None
    is_plain = type(handler.formatter) is TextFormatter and logging.getLogRecordFactory() is logging.LogRecord
    return handler if is_plain else None


class TextFormatter(logging.Formatter):
    """`2026-11-24T06:00:00.003Z INFO Triggering 'nightly'`; a job's own line starts with its class and jid.

    A record is one line, whatever its message contains: a line break in a jid starts no new line. A traceback
    follows, indented, so none of its lines looks like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback below it if there is one."""
        line = printable(
            f"{_time(record.created)} {record.levelname} {_job(record)}{record.getMessage().rstrip()}"
        )
        below = [text for text in (_traceback(self, record), record.stack_info) if text]
        return "\n".join([line, *(f"    {printable(part)}" for text in below for part in text.split("\n"))])


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and fields such as event, due, jid, queue."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback is its field `traceback`, a thread's stack its field `stack`."""
        line: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _fields(record)
        line |= {"traceback": _traceback(self, record)} if record.exc_info else {}
        line |= {"stack": record.stack_info} if record.stack_info else {}
        return _dumped(line)


def _dumped(line: dict[str, object]) -> str:
    """The line as JSON in ASCII, so it is valid JSON in every encoding.

    An instant is written as in RFC 3339, other fields that JSON does not support as text, so the line is not lost.
    """
    try:
        return json.dumps(line, default=as_json_value, allow_nan=False)
    except Exception:  # noqa: BLE001  # keys that are not text, a value that contains itself, a broken __str__
        return json.dumps(
            {name: value if isinstance(value, str) else _text(value) for name, value in line.items()}
        )


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  # the same
        return f"(a {type(value).__name__} that cannot be shown: {type(error).__name__})"


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback of a record, without its middle if it is very long; empty if it has none."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    try:
        text = formatter.formatException(record.exc_info)
        left_out = len(text) - TRACEBACK_LIMIT
        half = TRACEBACK_LIMIT // 2
        return text if left_out <= 0 else f"{text[:half]}\n({left_out:,} characters left out)\n{text[-half:]}"
    except Exception as error:  # noqa: BLE001  # the line itself must be written: groups of errors nested too deeply
        return f"(the traceback cannot be shown: {type(error).__name__})"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields of the line: its own, and for the application's lines those of the running job."""
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {**_job_fields(record), **extra}


def _job_fields(record: logging.LogRecord) -> dict[str, object]:
    return {} if _is_ours(record.name) else fields_of(running_job.get())


def _job(record: logging.LogRecord) -> str:
    """The start of the application's lines in a job: class and jid, event, and the fields of `self.logger`.

    The package's own lines contain these already.
    """
    fields = _fields(record) if "class" in vars(record) else _job_fields(record)
    if not fields:
        return ""
    words = [_text(fields.pop("class")), _text(fields.pop("jid", ""))]
    return " ".join(words + [f"{name}={_text(value)}" for name, value in fields.items()]) + ": "


def _time(created: float) -> str:
    second = int(created)
    return f"{_to_the_second(second)}.{int((created - second) * 1000):03}Z"


@lru_cache(maxsize=1)  # many lines have the same second
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
