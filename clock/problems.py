"""The faults of a process: its loops report them, and the log, the probes and Redis show them.

Each loop has a `Part`. An error, or an answer from Redis that takes longer than `ANSWER_SECONDS`, is a problem of
the part until its next success. Parts with the same cause share one ERROR line: at once, then every
`REPEAT_SECONDS`. One more line reports the end, when no part has met the cause for `CALM_SECONDS`.

A cause that waiting cannot cure ends the process if it occurs before the part's first success: `raise_fatal`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from clock.clocks import Clock, to_ms
from clock.errors import Outranked, StoreError, described

ANSWER_SECONDS = 3.0  # an ERROR line is due within 5 s: a wait of 1 s and a check each second come on top
REPEAT_SECONDS = 60.0
START_SECONDS = 10.0  # after this, the process waits for the end of a refusal, because it has worked before
PUBLISHED = 20  # a heartbeat stays small
MOST = 1_000  # problems of single entries in Redis; further ones are not reported
ENTRY_SECONDS = 60.0  # errors of entries come back with each heartbeat
CALM_SECONDS = 3.0  # a cause that comes and goes faster is one problem, not many
FROZEN_SECONDS = 3.0  # between two calls of `watch`: this process did not run, so answers may wait to be read
WATCH_SECONDS = 1.0  # between two calls of `watch`

#: Refusals that a person must remove, mostly in a setting of this process. If they occur at its start, it ends.
FATAL = frozenset(
    {
        "certificate", "cluster", "no_permission", "no_such_database", "not_a_cluster", "not_redis",
        "password_needed", "password_unknown", "protected", "sentinel_no_permission", "sentinel_password_needed",
        "sentinel_password_unknown", "sentinel_wrong_password", "too_old", "unknown_command", "wrong_password",
    }
)  # fmt: skip

logger = logging.getLogger("clock.problems")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with its cure. `cause` is a stable word for programs.

    `blocks`: the process is not ready. `is_retried`: the blocked parts try again, so nothing is lost.
    `calm_seconds`: the problem is over after this time without a report.
    """

    cause: str
    text: str
    blocks: bool = True
    is_retried: bool = False
    calm_seconds: float = CALM_SECONDS


def skewed(seconds: float, who: str, *, blocks: bool) -> Problem:
    """The problem of a machine whose clock is `seconds` ahead of Redis's; `who` uses Redis's time."""
    text = (
        f"Local clock differs from Redis by {seconds:+.1f} s. {who} Redis time, but your own code "
        "uses the local clock. Sync both with NTP (timedatectl)."
    )
    return Problem("skew", text, blocks)


class Part:
    """A loop of the process; `with part:` encloses its commands to Redis. For one thread."""

    def __init__(self, owner: Problems, name: str) -> None:
        self.name = name
        self.asked_at: float | None = None  # monotonic seconds; None: it waits for no answer
        self.has_worked = False
        self.has_problem = False
        self._owner = owner

    def __enter__(self) -> Self:
        self.asked_at = self._owner.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.asked_at = None
        if error is None:
            self.works()
        elif isinstance(error, Exception):
            self.failed(error)

    def works(self) -> None:
        """Report a success of Redis."""
        if self.has_problem or not self.has_worked:
            self.has_worked = True
            self.found()

    def rests(self) -> None:
        """Report that the part is idle, so it cannot fail either."""
        if self.has_problem:
            self.found()

    def failed(self, error: Exception) -> None:
        """Report an error. An error that does not come from Redis is a bug, and is logged with its traceback."""
        if isinstance(error, Outranked):
            self.works()
            return
        if not self.has_problem:
            self._owner.on_error(error, self.name)
        if isinstance(error, StoreError):
            may_end = not self.has_worked and error.cause in FATAL and self._owner.is_young
            self._owner.report(
                self, (Problem(error.cause, str(error), is_retried=True),), error if may_end else None
            )
        else:
            text = f"An error in clock ({self.name}): {described(error)}"
            self._owner.report(self, (Problem(f"error:{self.name}", text, is_retried=True),), traceback_of=error)

    def found(self, *problems: Problem) -> None:
        """Report the present problems; none: all is well."""
        self._owner.report(self, problems)


@dataclass(slots=True)
class Lasting:
    """A problem that lasts: its first and last report, in monotonic seconds, and its parts."""

    problem: Problem
    since: float
    last_met: float
    parts: set[Part] = field(default_factory=set)
    logged_at: float = float("-inf")

    def is_over(self, now: float) -> bool:
        """Whether no part has it any more, and the time without a report has passed."""
        return not self.parts and now - self.last_met >= self.problem.calm_seconds


class Problems:
    """All problems of a process. `on_fatal` is called, on any thread, when the process must end.

    `on_error(error, part)` is called for the first error of a part since its last success. It must return at once.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        on_fatal: Callable[[], object] = lambda: None,
        on_error: Callable[[Exception, str], object] = lambda error, part: None,
    ) -> None:
        self._clock = clock
        self.monotonic = clock.monotonic
        self.on_error = on_error
        self._watched = clock.monotonic()  # the last call of `watch`
        self._on_fatal = on_fatal
        self._parts: list[Part] = []
        self._lasting: dict[str, Lasting] = {}  # by cause; guarded by _lock
        self._lock = threading.Lock()
        self._fatal: StoreError | None = None
        self._started = clock.monotonic()

    def part(self, name: str) -> Part:
        """A new part; several may have one name."""
        part = Part(self, name)
        self._parts.append(part)
        return part

    @property
    def is_young(self) -> bool:
        """Whether the process has only just started."""
        return self.monotonic() - self._started < START_SECONDS

    @property
    def lasting(self) -> Sequence[tuple[Problem, float]]:
        """The present problems and their ages in seconds; from any thread."""
        now = self.monotonic()
        with self._lock:
            return [(lasting.problem, now - lasting.since) for lasting in self._lasting.values()]

    @property
    def blocking(self) -> list[str]:
        """The reasons why the process is not ready; empty: it is ready."""
        return [problem.text for problem, _ in self.lasting if problem.blocks]

    def raise_fatal(self) -> None:
        """Raise the StoreError that ends the process, if there is one."""
        if self._fatal is not None:
            raise self._fatal

    def watch(self) -> None:
        """Check for missing answers, repeat lasting problems, end those that are over. Call it every second."""
        now = self.monotonic()
        was_frozen, self._watched = now - self._watched > FROZEN_SECONDS, now
        for part in [] if was_frozen else list(self._parts):
            asked_at = part.asked_at  # read once: the part's own thread changes it
            if asked_at is not None and now - asked_at > ANSWER_SECONDS:
                self.report(part, (_no_answer(now - asked_at),))
        with self._lock:
            for cause, lasting in list(self._lasting.items()):
                if lasting.is_over(now):
                    del self._lasting[cause]
                    logger.info("Resolved after %.0f s: %s", now - lasting.since, lasting.problem.text)
                elif now - lasting.logged_at >= REPEAT_SECONDS:
                    _log(lasting, now)

    def watch_until(self, stop: threading.Event) -> None:
        """Call `watch` every second until `stop` is set."""
        while not self._clock.wait(stop, WATCH_SECONDS):
            self.watch()

    def report(
        self,
        part: Part,
        problems: Sequence[Problem],
        fatal: StoreError | None = None,
        *,
        traceback_of: Exception | None = None,
    ) -> None:
        """Record the present problems of a part; `fatal` ends the process."""
        if fatal is not None:
            self._fatal = self._fatal or fatal
            self._on_fatal()
            return
        now = self.monotonic()
        with self._lock:
            part.has_problem = bool(problems)
            causes = {problem.cause for problem in problems}
            for cause, lasting in self._lasting.items():
                if cause not in causes:
                    lasting.parts.discard(part)
            for problem in problems:
                self._meet(part, problem, now, traceback_of)

    def meet(self, problem: Problem) -> None:
        """Report a problem of one entry in Redis. It ends after `calm_seconds` without a report."""
        with self._lock:
            if problem.cause in self._lasting or len(self._lasting) < MOST:
                self._meet(None, problem, self.monotonic(), None)

    def entry(self, message: str, *args: object) -> None:
        """Report an error of one entry in Redis, such as a key of a wrong type: the process stays ready."""
        line = message % args
        self.meet(Problem(f"entry:{line}", line, blocks=False, calm_seconds=ENTRY_SECONDS))

    def _meet(self, part: Part | None, problem: Problem, now: float, traceback_of: Exception | None) -> None:
        lasting = self._lasting.setdefault(problem.cause, Lasting(problem, now, now))
        lasting.problem, lasting.last_met = problem, now
        if part is not None:
            lasting.parts.add(part)
        if now - lasting.logged_at >= REPEAT_SECONDS:
            _log(lasting, now, traceback_of)


def published(problems: Problems, now: datetime) -> list[dict[str, object]]:
    """The problems at the instant `now`, in the form for other processes; `since` is in ms since 1970."""
    return [
        {"cause": problem.cause, "text": problem.text, "since": to_ms(now - timedelta(seconds=seconds))}
        for problem, seconds in problems.lasting[:PUBLISHED]
    ]


def _no_answer(seconds: float) -> Problem:
    text = (
        f"Redis does not answer: no reply for {seconds:.0f} s. "
        "The server or the network hangs, or a command takes very long: try redis-cli PING."
    )
    return Problem("no_answer", text, is_retried=True)


def _log(lasting: Lasting, now: float, traceback_of: Exception | None = None) -> None:
    problem, parts = lasting.problem, ", ".join(sorted({part.name for part in lasting.parts}))
    lasting.logged_at = now
    since = f" For {now - lasting.since:.0f} s so far." if now - lasting.since >= 1 else ""
    held_up = f" Held up: {parts}. Nothing is lost; trying again." if problem.is_retried else ""
    extra = {"cause": problem.cause, "held_up": parts}
    logger.error("%s%s%s", problem.text, held_up, since, exc_info=traceback_of, extra=extra)
