"""Log lines: to stdout, one an event, for people or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO

from clock.printable import printable

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(log_format: str, level: str, *, stream: TextIO | None = None) -> None:
    """Send the program's log to `stream`, else stdout: `text` or `json`, from `level` (debug, info, ...) up."""
    handler = _Stream(stream or sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)


def log_to(logger: logging.Logger) -> None:
    """Hand the package's own lines to `logger`, the clock file's choice, and to nothing else."""
    ours = logging.getLogger("clock")
    ours.handlers[:] = [_Relay(logger)]
    ours.propagate = False


class _Stream(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Do without a line that cannot be written, to a full disk or a reader that is gone: work goes on."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


class _Relay(logging.Handler):
    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Let the other logger decide by its own level and handlers."""
        if self._logger.isEnabledFor(record.levelno):
            self._logger.handle(record)


class TextFormatter(logging.Formatter):
    """`2026-11-24T06:00:00.003Z INFO Triggering 'nightly'`; a job's own line begins with its class and jid.

    A record is one line, whatever its message holds: a line break in a jid begins no line. A traceback follows,
    indented, so that none of its lines looks like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback below it if there is one."""
        line = printable(f"{_time(record)} {record.levelname} {_job(record)}{record.getMessage().rstrip()}")
        below = [text for text in (_traceback(self, record), record.stack_info) if text]
        return "\n".join([line, *(f"    {printable(part)}" for text in below for part in text.split("\n"))])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what it is about: event, due, jid, queue..."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback is its field `traceback`, a thread's stack its field `stack`."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _extra(record)
        line |= {"traceback": _traceback(self, record)} if record.exc_info else {}
        line |= {"stack": record.stack_info} if record.stack_info else {}
        return json.dumps(line, default=str)  # ASCII, so that it is JSON in whatever encoding it is written


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback of a record; empty if it has none."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    try:
        return formatter.formatException(record.exc_info)
    except Exception as error:  # noqa: BLE001  # the line itself must be written: groups of errors nested too deeply
        return f"(the traceback cannot be shown: {type(error).__name__})"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """What the line is about."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _job(record: logging.LogRecord) -> str:
    """What a job's `self.logger` adds to its lines; nothing for those of others, which say it themselves."""
    if "class" not in vars(record):
        return ""
    extra = _extra(record)
    words = [str(extra.pop("class")), str(extra.pop("jid", ""))]
    return " ".join(words + [f"{name}={value}" for name, value in extra.items()]) + ": "


def _time(record: logging.LogRecord) -> str:
    second = int(record.created)
    return f"{_to_the_second(second)}.{int((record.created - second) * 1000):03}Z"


@lru_cache(maxsize=1)  # many lines are of one second
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
