"""Jobs in listings, and filters for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from clock.job.payload import Payload, encode_again, instant, queue_of, read_payload
from clock.job.redaction import shown_args

UNREADABLE = "unreadable"  # in the place of a class name: what is in Redis is not a payload


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job in its place: its raw payload, its score (float seconds) if it has one, its shard (0: the home)."""

    member: bytes
    at: float | None = None
    payload: Payload = field(default_factory=dict)
    shard: int = 0

    @property
    def jid(self) -> str:
        """Its id; empty if the payload has none."""
        return str(self.payload.get("jid") or "")

    @property
    def job_class(self) -> str:
        """The name of its class; the name of the Active Job class if it wraps one."""
        return str(self.payload.get("wrapped") or self.payload.get("class") or UNREADABLE)

    @property
    def queue(self) -> str:
        """The queue that it belongs to."""
        return queue_of(self.payload)

    @property
    def args(self) -> object:
        """Its arguments, without the hidden ones; the raw text if it cannot be parsed."""
        return (
            shown_args(self.payload) if "args" in self.payload else self.member.decode(errors="backslashreplace")
        )

    @property
    def error(self) -> str | None:
        """Its last error."""
        if "error_class" not in self.payload:
            return None
        return f"{self.payload['error_class']}: {self.payload.get('error_message', '')}"

    @property
    def retries(self) -> int | None:
        """How often it has been tried again."""
        count = self.payload.get("retry_count")
        return count if isinstance(count, int) else None

    @property
    def since(self) -> float | None:
        """When its wait started, in float seconds: the time at which it failed, was enqueued or was created."""
        for name in ("failed_at", "enqueued_at", "created_at"):
            if (time := instant(self.payload.get(name))) is not None:
                return time
        return None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant: those that meet all conditions. No job meets an empty `jids`.

    `job_class` and `queue` may contain `*` and `?`. `older_than` is in seconds since the job failed, was
    enqueued or was created. `args` and `error` are texts that the arguments, as JSON, and the last error
    contain, in upper or lower case; hidden arguments are not searched. `text` is looked for in jid, class,
    arguments and error. `before` is a time in float seconds: the job is due before it, or died before it; in a
    queue, it was enqueued before it.

    >>> JobFilter(job_class="Send*").accepts(FoundJob(b"", payload={"class": "SendMailJob"}), now=0)
    True
    """

    jids: frozenset[str] | None = None
    job_class: str | None = None
    queue: str | None = None
    older_than: float | None = None
    args: str | None = None
    error: str | None = None
    before: float | None = None
    text: str | None = None

    @property
    def accepts_all(self) -> bool:
        """Whether nothing is asked for in particular."""
        return self == JobFilter()

    def accepts(self, job: FoundJob, *, now: float) -> bool:
        """Whether `job` is meant, at `now` (float seconds)."""
        return (
            (self.jids is None or job.jid in self.jids)
            and (not self.job_class or fnmatchcase(job.job_class, self.job_class))
            and (not self.queue or fnmatchcase(job.queue, self.queue))
            and (not self.args or _contains(_args_text(job), self.args))
            and (not self.error or _contains(job.error or "", self.error))
            and (not self.text or any(_contains(part, self.text) for part in _shown(job)))
            and (self.before is None or _is_before(job, self.before))
            and (self.older_than is None or (job.since is not None and now - job.since > self.older_than))
        )

    @property
    def texts(self) -> list[str]:
        """Texts that the payload of each job that is meant contains: '=' and the text as it is, or '~' and it in
        upper or lower case. Redis skips payloads without them; `accepts` decides on the others.
        """
        jid = next(iter(self.jids)) if self.jids and len(self.jids) == 1 else ""
        names = [] if self.job_class == UNREADABLE else _WILD.split(self.job_class or "")
        parts = [part for part in (self.args, self.error, self.text) if part]
        words = [word for part in parts if part.isascii() for word in _WORD.findall(part)]
        exact = [f"={text}" for text in (jid, *names) if _PLAIN.fullmatch(text)]
        return [*exact, *(f"~{word}" for word in words)]


_WILD = re.compile(r"[*?]|\[.*\]")  # the wildcards of a pattern
_PLAIN = re.compile(r"[\w.:-]+", re.ASCII)  # JSON holds such a text as it is
_WORD = re.compile(r"[a-z_]{2,}", re.ASCII | re.IGNORECASE)  # JSON may write a number in another way


def _contains(text: str, part: str) -> bool:
    return part.lower() in text.lower()


def _args_text(job: FoundJob) -> str:
    args = job.args
    return args if isinstance(args, str) else encode_again({"": args})[len('{"":') : -1]


def _shown(job: FoundJob) -> tuple[str, ...]:
    return job.jid, job.job_class, _args_text(job), job.error or ""


def _is_before(job: FoundJob, time: float) -> bool:
    at = job.since if job.at is None else job.at
    return at is not None and at < time


def found(member: bytes, at: float | None = None, shard: int = 0) -> FoundJob:
    """The job of a payload. An invalid payload is a job without a class."""
    return FoundJob(member, at, read_payload(member), shard)
