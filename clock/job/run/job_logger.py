"""The logger of one job, whose payload may name its level."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

#: The levels of `.set(log_level=...)`.
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_OF_PAYLOADS: Mapping[str, int] = {**LEVELS, "warn": logging.WARNING, "fatal": logging.CRITICAL}  # Ruby's, too

logger = logging.getLogger("clock.job")


def job_logger(payload: Mapping[str, object]) -> logging.Logger:
    """The logger of a job, from the level in its payload up; without one, it has the level of the process."""
    level = payload.get("log_level")
    return _logger_from(_OF_PAYLOADS[level]) if isinstance(level, str) and level in _OF_PAYLOADS else logger


@cache
def _logger_from(level: int) -> logging.Logger:
    """A logger with this level, and the name, filters and handlers of the jobs' logger."""
    found = _LoggerOfLevel(logger.name, level)
    found.parent, found.filters = logger, logger.filters
    return found


class _LoggerOfLevel(logging.Logger):
    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """Whether it logs records of this level. Nothing is kept: `logging.disable` does not know this logger."""
        return level >= self.level and level > self.manager.disable
