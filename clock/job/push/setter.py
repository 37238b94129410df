"""`SomeJob.set(...)`: pushes a job with options. It has the methods of a job class that push."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from operator import call
from typing import Any, Generic, ParamSpec, Unpack

from clock.errors import ArgumentsError, Discard, JobError, StoreError
from clock.job.class_checks import check_rules
from clock.job.context import JobClass
from clock.job.options import RULES, CallOptions, Order, Signature, check_iterates, checked
from clock.job.payload import Time, due_of_each
from clock.job.push import client, inline
from clock.job.push.arguments import check_value
from clock.job.push.template import PreparedPush
from clock.printable import brief

P = ParamSpec("P")

_NOT_IN_PAYLOADS = ("wait", "wait_until", "enqueue_after_commit", "at_front", "durable", "fields")
MOST_IN_BATCH = 1_000_000_000  # of `batch_size`
FIELD_PREFIX = "x_"  # for the application's fields in a payload; none of Sidekiq's names starts with it


class Setter(Order, Generic[P]):
    """The result of `SomeJob.set(...)`: its methods, those of the job class, push that job with these options."""

    __slots__ = ()

    @classmethod
    def of(cls, job: JobClass, options: dict[str, Any]) -> Setter[P]:
        """The setter of a job class and options, which are checked. Raises JobError."""
        where = f"{job.wire_name}.set"
        checked(where, options, with_call=True)
        check_iterates(where, job, options)
        if not options.keys().isdisjoint(RULES) and hasattr(job, "perform"):
            check_rules(where, job.perform, options)
        if "wait" in options and "wait_until" in options:
            raise JobError(f"{where}: give either wait or wait_until, not both")
        fields = {name: value for name, value in options.items() if name not in _NOT_IN_PAYLOADS}
        for name, value in options.get("fields", {}).items():
            check_value(where, f"the field {name!r}", value)
            fields[FIELD_PREFIX + name] = value
        on_commit = options.get("enqueue_after_commit")
        if on_commit is None and "enqueue_after_commit" in options:
            on_commit = call  # push now, although the class waits for a commit
        return cls(
            job,
            fields,
            options.get("wait", options.get("wait_until")),
            on_commit,
            options.get("at_front", False),
            options.get("durable", 0),
        )

    def set(self, **options: Unpack[CallOptions]) -> Setter[P]:
        """Add options, which override earlier ones. Raises JobError."""
        more = Setter[P].of(self.job, dict(options))
        return Setter(
            self.job,
            {**self.options, **more.options},
            self.when if more.when is None else more.when,
            more.on_commit or self.on_commit,
            options.get("at_front", self.at_front),
            options.get("durable", self.durable),
        )

    def __str__(self) -> str:
        named = dict(sorted(self.options.items()))
        if self.when is not None:
            named["wait_until" if isinstance(self.when, datetime) else "wait"] = self.when
        return f"{self.job.wire_name}.set({', '.join(f'{name}={value!r}' for name, value in named.items())})"

    @property
    def wire_name(self) -> str:
        """The job's name in payloads."""
        return self.job.wire_name

    def check_arguments(self, *args: Any) -> None:
        """Check that `perform` and the rules accept these arguments, and JSON supports them. Raises JobError."""
        client.check(self, args)

    def signature(self, *args: P.args, **kwargs: P.kwargs) -> Signature:
        """The job with these arguments, to be pushed later: see `then`. Raises ArgumentsError."""
        checked_args = client.checked(self, args, kwargs)
        client.check(self, checked_args)
        return Signature(self, tuple(checked_args))

    def prepared_push(self) -> PreparedPush:
        """The pushes of the job by a clock's events. Raises JobError."""
        if "jid" in self.options:
            raise JobError(f"{self.wire_name}: each run of an event has its own jid; leave out jid=")
        if self.at_front:
            raise JobError(
                f"{self.wire_name}: at_front is for jobs that are enqueued now; an event cannot have it"
            )
        return PreparedPush(self, self.perform_async, client.now)

    def perform_async(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job for a worker to run as soon as it can, or after `wait`. Returns its jid."""
        return client.push(self, args, kwargs)

    async def aperform_async(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_async` that does not block the event loop."""
        jid, parcels = client.packed(self, args, kwargs)
        if parcels and not client.is_kept(self, [parcels]):
            await client.carrier().acarry([parcels])
            if parcels[0].locks:
                return client.settled(self, [jid], [parcels])[0]
        return jid

    def perform_in(self, interval: float | timedelta, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job to run in `interval` (seconds, or a timedelta). Returns its jid."""
        return self._at(interval).perform_async(*args, **kwargs)

    async def aperform_in(self, interval: float | timedelta, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_in` that does not block the event loop."""
        return await self._at(interval).aperform_async(*args, **kwargs)

    def perform_at(self, instant: float | datetime, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job to run at `instant` (aware, or float seconds since 1970). Returns its jid."""
        return self._at(instant).perform_async(*args, **kwargs)

    async def aperform_at(self, instant: float | datetime, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_at` that does not block the event loop."""
        return await self._at(instant).aperform_async(*args, **kwargs)

    def perform_bulk(
        self,
        args: Iterable[Sequence[Any]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """Push one job for each list of arguments, a thousand or `batch_size` at a time; their jids in order."""
        if batch_size is not None:
            return self._in_batches(args, batch_size, at, spread_interval)
        jids: list[str] = []
        lists, due = self._planned(args, at, spread_interval)
        batches = client.packed_all(self, lists, due, jids)
        with _counted(len(lists)):
            if lists and not client.is_kept(self, batches):
                client.carrier().carry(batches)
        return client.settled(self, jids, batches) if client.is_locked(self) else jids

    async def aperform_bulk(
        self,
        args: Iterable[Sequence[Any]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
    ) -> list[str]:
        """`perform_bulk` that does not block the event loop."""
        jids: list[str] = []
        lists, due = self._planned(args, at, spread_interval)
        batches = await asyncio.to_thread(client.packed_all, self, lists, due, jids)
        with _counted(len(lists)):
            if lists and not client.is_kept(self, batches):
                await client.carrier().acarry(batches)
        return client.settled(self, jids, batches) if client.is_locked(self) else jids

    def perform_inline(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run the job here and now, without regard to `wait`. Returns the result of `perform`."""
        context = inline.inline_context(self, args, kwargs)
        return inline.run_to_end(self.job, context) if context else None

    perform_sync = perform_inline  # Sidekiq's other name

    async def aperform_inline(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """`perform_inline` within an event loop: a plain `perform` is run in a thread."""
        context = inline.inline_context(self, args, kwargs)
        try:
            return await inline.await_here(self.job, context) if context else None
        except Discard:
            return None

    def _in_batches(
        self,
        args: Iterable[Sequence[Any]],
        size: int,
        at: Time | Sequence[Time] | None,
        spread_interval: float | timedelta | None,
    ) -> list[str]:
        """Push an iterable of any length; one batch is in memory. Raises ArgumentsError, StoreError."""
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_IN_BATCH:
            raise ArgumentsError(
                f"{self.wire_name}.perform_bulk: batch_size is {brief(size)}; it must be 1 to {MOST_IN_BATCH:,}"
            )
        if spread_interval is not None or isinstance(at, Sequence):
            raise ArgumentsError(
                f"{self.wire_name}.perform_bulk: with batch_size, at= is one time; leave out spread_interval="
            )
        self._check_bulk(args)
        jids: list[str] = []
        rest = iter(args)
        while batch := list(islice(rest, size)):
            try:
                jids += self.perform_bulk(batch, at=at)
            except StoreError as error:
                error.pushed += len(jids)
                raise
        return jids

    def _at(self, when: Time | None) -> Setter[P]:
        if when is None:  # it would mean at once
            raise ValueError(
                f"{self.wire_name}: None is not a time; pass seconds, a timedelta or an aware datetime"
            )
        return Setter(self.job, self.options, when, self.on_commit, self.at_front, self.durable)

    def _check_bulk(self, args: object) -> None:
        if "jid" in self.options:
            raise JobError(f"{self.wire_name}.perform_bulk: each job has its own jid; leave out jid=")
        if not isinstance(args, Iterable):
            raise ArgumentsError(
                f"{self.wire_name}.perform_bulk takes a list of lists of arguments, not {brief(args)}; write "
                "[[1], [2]] for two jobs of one argument"
            )

    def _planned(
        self,
        args: Iterable[Sequence[Any]],
        at: Time | Sequence[Time] | None,
        spread_interval: float | timedelta | None,
    ) -> tuple[Sequence[Sequence[Any]], list[float] | None]:
        """The lists of arguments, and when each job is due."""
        self._check_bulk(args)
        if at is not None and spread_interval is not None:
            raise ArgumentsError(
                f"{self.wire_name}.perform_bulk got at= and spread_interval=; pass one of them. To spread jobs "
                "from a later time on: .set(wait=3600).perform_bulk(..., spread_interval=600)"
            )
        lists = args if isinstance(args, (list, tuple)) else list(args)
        return lists, due_of_each(len(lists), self.when if at is None else at, spread_interval, client.now())


@contextmanager
def _counted(total: int) -> Iterator[None]:
    """Add to an error of Redis how many of the jobs it has."""
    try:
        yield
    except StoreError as error:
        if total <= client.BULK_BATCH:
            raise
        pushed = min(error.answered * client.BULK_BATCH, total)
        unknown = min(client.BULK_BATCH, total - pushed)
        text = (
            f"{error} {pushed} of {total} jobs were pushed before; the next {unknown} may have been pushed, too."
        )
        counted = type(error)(text, cause=error.cause)
        counted.pushed = pushed
        raise counted from error
