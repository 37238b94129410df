"""Every error that the package raises on purpose.

The command line prints a `ClockError` as one line and exits with its `exit_code`; no traceback is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from clock.printable import closest, is_utf8, shortened_list

MESSAGE_LIMIT = 10_000  # characters of an error's message that are kept
INNER_SHOWN = 10  # errors of a group that its message names
LONGEST_HOLD = 366 * 86_400  # seconds
INNER_LIMIT = 500  # characters of each of them


def message_of(error: BaseException) -> str:
    """The text of an error, or a note if its `__str__` fails. Characters that are not valid UTF-8 are escaped.

    The text of a group is followed by the errors in it, at any depth.

    >>> message_of(ValueError("caf\\udce9"))
    'caf\\\\udce9'
    >>> message_of(ExceptionGroup("2 tasks failed", [KeyError("ada"), ExceptionGroup("", [OSError("down")])]))
    "2 tasks failed (2 sub-exceptions): KeyError: 'ada'; OSError: down"
    """
    text = _text(error)
    if isinstance(error, BaseExceptionGroup):
        inner = list(_inner(error))
        texts = [f"{type(one).__name__}: {_text(one)[:INNER_LIMIT]}" for one in inner[:INNER_SHOWN]]
        more = len(inner) - len(texts)
        text = f"{text[:INNER_LIMIT]}: {'; '.join(texts)}" + (f"; and {more} more" if more else "")
    return text[:MESSAGE_LIMIT].encode(errors="backslashreplace").decode()


def described(error: BaseException) -> str:
    """The class of an error and its text, if it has one, as in the last line of a traceback."""
    return ": ".join(filter(None, (type(error).__name__, message_of(error))))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # noqa: BLE001  # the text of an error may raise whatever it likes
        return f"(its message cannot be read: {type(second).__name__})"


def _inner(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors in a group that are not groups, in order. No recursion: groups may be nested deeply."""
    left: list[BaseException] = [group]
    while left:
        error = left.pop()
        if isinstance(error, BaseExceptionGroup):
            left += reversed(error.exceptions)
        else:
            yield error


class ClockError(Exception):
    """The base of all errors raised on purpose; its text names the problem, the place and the fix."""

    exit_code = 1


class ConfigurationError(ClockError):
    """A setting, an option or an environment variable has a value that cannot be used."""


class DeclarationError(ClockError):
    """The clock file declares something invalid; the text starts with file and line."""


class DuplicateEvent(DeclarationError):
    """Two events have the same name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(f"{second}: another event is named {name!r}, at {first}; rename one of them")
        self.name = name


class NoEvents(DeclarationError):
    """A clock file declares nothing, so its clock would look healthy and do nothing."""

    TEXT = (
        "No events found. Declare one with every(), cron(), sync_events() or in YAML, "
        "or put a schedule into Redis: clock schedules put"
    )

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: {self.TEXT}")


class UnknownWord(DeclarationError, AttributeError):
    """A declaration has no such method; for `getattr` and `hasattr`, a missing attribute."""


class UnknownEvent(ClockError):
    """The clock file declares no event of this name."""

    SHOWN = 40  # names that fit into a message

    def __init__(self, name: str, known: Sequence[str], *, now: str | None = None) -> None:
        """`now` is the event's name now, if it was renamed."""
        hint = f"; it is now {now!r}." if now else closest(name, known, ".", before="; ")
        shown = shortened_list(list(map(repr, known)), self.SHOWN) or "none"
        super().__init__(f"no event is named {name!r}{hint} The events are: {shown}")


class ScheduleConflict(ClockError):
    """A schedule was changed, or deleted, since its version was read. `found` is its version now; 0: missing."""

    def __init__(self, name: str, *, wanted: int, found: int) -> None:
        now = f"has version {found}" if found else "does not exist"
        was = f"version {wanted}" if wanted else "no schedule of this name"
        super().__init__(
            f"the schedule {name!r} {now}, and {was} was expected: read it again, then repeat the change"
        )
        self.found = found


class UnreadableTime(ClockError):
    """The given time cannot be parsed."""

    exit_code = 2

    WANTED = "is not a time; write '2026-11-01 01:30', '2026-11-01', 'yesterday' or an ISO 8601 instant"

    def __init__(self, text: str, problem: str = WANTED) -> None:
        super().__init__(f"{text!r} {problem}")


class InvalidDeployMark(ClockError, ValueError):
    """The label or the time of a deploy mark is invalid."""


class SourceFailed(ClockError):
    """The function that returns the rows of `sync_events` raised."""

    def __init__(self, source: str, error: Exception) -> None:
        super().__init__(f"{source}: the events cannot be read: {described(error)}")


class ActionFailed(ClockError):
    """The action of an event fired manually raised. `event` is its name, `what` the error in words."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.event = name
        self.what = described(error)
        super().__init__(f"{name!r} failed: {self.what} (use --log-level debug for the traceback)")


class BackfillFailed(ClockError):
    """The event's own code failed on a run of a backfill. The runs before it are committed.

    `event` is its name, `what` names the run and the error.
    """

    def __init__(self, name: str, at: str, reason: str | None) -> None:
        self.event = name
        self.what = f"run of {at}: {reason}"
        super().__init__(f"{name!r}, {self.what}")


class JobError(ClockError):
    """A job class or its arguments are wrong."""


class ArgumentsError(JobError):
    """Arguments that `perform` does not accept, or that JSON does not support."""


class DuplicateJobClass(JobError):
    """Two job classes have the same name in payloads."""

    def __init__(self, name: str, first_module: str, second_module: str) -> None:
        super().__init__(
            f"two job classes have the name {name}: one in {first_module}, one in {second_module}; "
            "rename one, or give it its own wire_name"
        )
        self.name = name


class UnknownJobClass(JobError):
    """A payload names a class that this process has not imported."""

    def __init__(self, class_name: str) -> None:
        super().__init__(
            f"unknown job class {class_name!r}; is its module under the folder given with -r, "
            "or with Django in `jobs` or `tasks` of an application in INSTALLED_APPS?"
        )
        self.class_name = class_name


class NoPerform(JobError, AttributeError):
    """A job class that is only a base for others was pushed."""

    def __init__(self, class_name: str) -> None:
        super().__init__(f"{class_name} has no perform; define it, or push a subclass that does")


class NotFaked(JobError, AttributeError):
    """An attribute of a test's `fake()` was read outside of it. For `getattr`, it is a missing attribute."""

    def __init__(self, asked: str) -> None:
        super().__init__(f"{asked} is for tests: use it inside `with clock.testing.fake():`")


class EncryptionKeyMissing(JobError):
    """An encrypted job cannot be pushed or run, because its key is not configured here.

    `key_id` names the key; empty: no key is configured at all.
    """

    def __init__(self, text: str, key_id: str = "") -> None:
        super().__init__(text)
        self.key_id = key_id


class UndecryptableArgument(JobError):
    """An encrypted argument was changed, or copied from another job. The job goes to `dead`."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the encrypted argument cannot be decrypted: {why}")


class Discard(JobError):
    """Raise it in `perform` or in a middleware to drop the job. It does not count as a failure."""


class RateLimited(JobError):
    """Raise it in `perform` if the other side asks for a pause, as HTTP status 429 does.

    No job of this job's rates starts for `retry_after`, seconds or a timedelta; then this one runs again. It does
    not count as a failure and uses no attempt. `name`: hold back only this one of the rates.
    """

    def __init__(self, retry_after: float | timedelta, *, name: str | None = None) -> None:
        try:
            seconds = retry_after.total_seconds() if isinstance(retry_after, timedelta) else float(retry_after)
        except (TypeError, ValueError):
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_HOLD:
            limit = f"it must be 0 to {LONGEST_HOLD:,} seconds, or a timedelta"
            raise ValueError(f"RateLimited: retry_after is {retry_after!r}; {limit}") from None
        if not (name is None or (is_utf8(name) and name)):
            raise ValueError(f"RateLimited: name is {name!r}; it must be the name of a rate")
        super().__init__(f"held back for {seconds:g} s")
        self.seconds, self.name = seconds, name


class NotUnique(JobError):
    """A unique job whose `on_conflict` is "raise" was pushed while another one holds its lock."""

    def __init__(self, job: str, holder: str) -> None:
        super().__init__(f"{job}: a job with the same key waits or runs: {holder}")
        self.holder = holder


class BatchDone(JobError):
    """A job was added to a batch that is done, or that Redis does not have."""

    def __init__(self, job: str, bid: str) -> None:
        super().__init__(f"{job}: the batch {bid} is done or unknown; no job can be added")
        self.bid = bid


class JobFailed(JobError):
    """`JobResult.get`: the job ended without a result.

    `status` is failed, dropped or cancelled; `error_class` and `error_message` are those of its last failure.
    """

    def __init__(self, jid: str, status: str, error_class: str, error_message: str) -> None:
        why = f": {error_class}: {error_message}" if error_class else ""
        super().__init__(f"the job {jid} {'failed' if status == 'failed' else f'was {status}'}{why}")
        self.jid, self.status = jid, status
        self.error_class, self.error_message = error_class, error_message


class ResultMissing(JobError):
    """`JobResult.get`: the result was too large, not JSON, or the job was never pushed."""


class JobCancelled(BaseException):
    """The running job was cancelled. Not an Exception, so `except Exception` in `perform` does not catch it."""

    def __init__(self) -> None:
        super().__init__("it was cancelled")


class JobTimeout(BaseException):
    """A job ran for longer than its `timeout`. Not an Exception, so `except Exception` does not catch it."""

    def __init__(self, seconds: float | None = None) -> None:
        # Python itself creates it, without arguments, when it interrupts a thread.
        super().__init__("it ran for longer than its timeout" + (f", {seconds:g} s" if seconds else ""))


class InvalidCursor(ClockError):
    """A cursor that was not returned with a page."""

    def __init__(self, cursor: object) -> None:
        super().__init__(f"invalid cursor {cursor!r:.60}; pass the cursor of a page, or None for the first page")


class SearchIncomplete(ClockError):
    """The time limit of a search ended before all places were read and before the job was found."""

    def __init__(self, jid: str, seconds: float) -> None:
        super().__init__(
            f"no job {jid!r} was found in {seconds:g} s, and not everything was searched; allow more: within=60"
        )
        self.jid = jid


class StoreError(ClockError):
    """Redis cannot be used as it is.

    `cause` is a stable word for the fault, for programs: `no_permission`, `out_of_memory`. They are in
    `clock/store/server/faults.py`.
    """

    answered = 0  # how many batches of jobs Redis had acknowledged
    pushed = 0  # how many jobs of a `perform_bulk` these were

    def __init__(self, text: str = "", *, cause: str = "refused") -> None:
        super().__init__(text)
        self.cause = cause


class StoreUnavailable(StoreError):
    """Redis cannot be reached at this moment; trying again later may work."""


class Outranked(StoreError):
    """A clock of a newer release leads, so this clock may not work."""

    def __init__(self) -> None:
        super().__init__("a clock of a newer release leads.", cause="outranked")


class HookFailed(ClockError):
    """A startup hook of the application raised, so the worker does not start."""

    def __init__(self, event: str, name: str, error: BaseException) -> None:
        super().__init__(f"the {event} hook {name} failed: {described(error)}")


class WorkerStuck(ClockError):
    """A worker has not fetched for a minute although Redis answers; another process must take its place."""

    exit_code = 3

    def __init__(self, identity: str) -> None:
        super().__init__(
            f"worker {identity} has not fetched for a minute although Redis answers; it exits, to be restarted"
        )
