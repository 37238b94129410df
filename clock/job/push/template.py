"""The common part of the payloads of a job class: made once, and again when an option or the middleware changes.

A class whose payloads depend on more than arguments, jid and time is not plain: its payloads are built one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from clock.job.context import JobClass
from clock.job.middleware.chain import ClientMiddleware
from clock.job.middleware.defaults import client_middleware, client_middleware_for
from clock.job.options import PAYLOAD_ATTRIBUTES, Order, payload_fields
from clock.job.payload import encode_checked, new_jid
from clock.job.push.spreading import stays_at_home
from clock.store.jobs.queues import Parcel

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
    if delayed or client_middleware_for(fields) or fields.keys() & _DIFFERS:
        return "", queue
    try:
        return encode_checked(fields)[:-1], queue
    except (TypeError, ValueError):  # an option has no JSON: the ordinary push names it
        return "", queue
