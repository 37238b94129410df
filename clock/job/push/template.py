"""The common part of payloads, made once, and again when an option or the middleware changes.

A `Template` has that of a job class, a `PreparedPush` that of the pushes by a clock's events: such a push costs
a firing a few microseconds. Payloads that depend on more than arguments, jid, time and event are built singly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from clock.job.context import JobClass
from clock.job.middleware.chain import ClientMiddleware
from clock.job.middleware.defaults import client_middleware, client_middleware_for
from clock.job.options import PAYLOAD_ATTRIBUTES, Order, payload_fields
from clock.job.payload import encode_checked, new_jid
from clock.job.push.carriers import stays_at_home
from clock.store.jobs.queues import Parcel
from clock.store.ledger import held_pushes

#: Everything of a class that its payloads depend on. `True == 1`, but their JSON differs, so types count, too.
COMPARED = (
    *PAYLOAD_ATTRIBUTES,
    *("retry.__class__", "backtrace.__class__", "enqueue_after_commit", "exactly_once"),
)
_options = attrgetter(*COMPARED)
_DIFFERS = {"encrypt", "unique", "limits", "then"}  # fields that each job has of its own; with rates it has limits


@dataclass(frozen=True, slots=True)
class Template:
    """The payload of a job class without arguments, jid and time. `head` is "" if the class is not plain."""

    options: tuple[Any, ...]
    middleware: tuple[ClientMiddleware, ...]
    head: str
    queue: str
    is_spread: bool

    def filled_in(self, args: Sequence[object], now: float) -> tuple[str, Parcel]:
        """The jid and the parcel of a job. Raises TypeError, ValueError or RecursionError without JSON."""
        jid = new_jid()
        own = f'"args":{encode_checked(args)},"jid":"{jid}","created_at":{now!r},"enqueued_at":{now!r}'
        return jid, Parcel(self.queue, [f"{self.head},{own}}}"], jids=[jid] if self.is_spread else None)


def template_of(job: JobClass) -> Template:
    """The template of a class with its present options. Raises JobError."""
    found: Template | None = vars(job).get("_push_template")  # not that of a base class
    entries = client_middleware.entries
    if found is None or found.middleware is not entries or found.options != _options(job):
        options = tuple([list(value) if isinstance(value, list) else value for value in _options(job)])
        found = Template(options, entries, *head_of(Order(job)), is_spread=not stays_at_home(job, {}))
        job._push_template = found
    return found


def head_of(order: Order) -> tuple[str, str]:
    """The start of an order's payloads, and their queue. The start is "" if the order is not plain."""
    job = order.job
    fields = payload_fields(job, order.options)
    queue = str(fields["queue"])
    delayed = order.when or order.on_commit or job.enqueue_after_commit
    if not (delayed or client_middleware_for(fields) or fields.keys() & _DIFFERS):
        with suppress(TypeError, ValueError):  # an option has no JSON: the ordinary push names it
            return encode_checked(fields)[:-1], queue
    return "", queue


class PreparedPush:
    """Pushes an order with any arguments, which have been checked. All events of a job class share one."""

    __slots__ = ("_chain", "_head", "_now", "_order", "_push", "queue")

    def __init__(self, order: Order, push: Callable[..., str], now: Callable[[], float]) -> None:
        self._order = order
        self._push = push
        self._now = now
        self._prepare()

    def push(self, args: Sequence[object]) -> str:
        """Push the job; its jid."""
        held = held_pushes.current()
        if held is None or not self.is_plain:
            return self._push(*args)
        jid = held.next_jid()
        text = self.text(args, held.event, held.due_ms, held.previous_ms, jid, repr(self._now()))
        held.pushes.append(held_pushes.Push(text, self.queue))
        return jid

    @property
    def is_plain(self) -> bool:
        """Whether only the arguments, event, due instant, jid and time change from push to push."""
        if self._chain is not client_middleware.entries:
            self._prepare()
        return self._head != ""

    def is_like(self, other: PreparedPush) -> bool:
        """Whether the other one pushes the same, if both are of one job class with its own options."""
        return (self._order.job, self._head, self.queue) == (other._order.job, other._head, other.queue)

    def text(
        self, args: Sequence[object], event: str, due_ms: int, previous_ms: int | None, jid: str, now: str
    ) -> str:
        """The payload of one firing, if it is plain; `now` is the JSON of seconds since 1970."""
        firing = f'"clock":{{"event":{encode_checked(event)},"due":{due_ms},"previous":{previous_ms or "null"}}}'
        own = f'"args":{encode_checked(args)},"jid":"{jid}","created_at":{now}'
        return f'{self._head},{own},{firing},"enqueued_at":{now}}}'

    def _prepare(self) -> None:
        self._chain = client_middleware.entries  # what `_head` was made under
        self._head, self.queue = head_of(self._order)
