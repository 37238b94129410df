"""The parts of a job class and of a running job that the modules of this room use without importing `Job`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self

from clock.job.context import Context

#: Takes a function and calls it once the transaction under way is committed; never, if it is rolled back.
OnCommit = Callable[[Callable[[], object]], object]


class RunningJob(Protocol):
    """A job that runs, with those options that are read by their names.

    Options that a subclass may give a narrower type are `Any`: an attribute of a Protocol has one exact type.
    """

    wire_name: ClassVar[str]
    queue: ClassVar[str]
    retry: ClassVar[Any]
    dead: ClassVar[bool]
    tags: ClassVar[Any]
    redact: ClassVar[Any]
    encrypt: ClassVar[bool]
    unique: ClassVar[Any]
    limits: ClassVar[Any]
    rates: ClassVar[Any]
    timeout: ClassVar[Any]
    expires_in: ClassVar[Any]
    enqueue_after_commit: ClassVar[Any]
    context: Context
    log_fields: dict[str, object]
    deadline: datetime | None
    exactly_once: ClassVar[Any]
    _push_template: ClassVar[Any]
    _checked_rules: ClassVar[Any]
    _iterates: ClassVar[bool]

    def perform(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work."""

    @classmethod
    def perform_async(cls, *args: Any, **kwargs: Any) -> str:
        """Push the job; its jid."""
        ...

    @classmethod
    def is_coroutine(cls) -> bool:
        """Whether `perform` is a coroutine function."""
        ...

    @classmethod
    def run(cls, context: Context, middleware: Sequence[Callable[..., Any]] | None = None) -> Any:
        """Run the job of `context.payload` inside the middleware; what `perform` returns."""

    @classmethod
    async def arun(cls, context: Context, middleware: Sequence[Callable[..., Any]] | None = None) -> Any:
        """Run a job whose `perform` is a coroutine function inside the middleware; what `perform` returns."""

    @classmethod
    def for_context(cls, context: Context) -> Self:
        """The job of `context`, as it is while it runs."""
        ...

    def retry_in(self, count: int, error: BaseException) -> Any:
        """How many seconds after failure number `count` (from 0) the job is tried again."""

    def retries_exhausted(self, payload: dict[str, object], error: BaseException) -> object:
        """Called when the job has failed for the last time."""


JobClass = type[RunningJob]
