"""The pushes of a job by a clock's events: all that is the same for each firing is made once.

So a push costs a firing a few microseconds. With middleware, a commit or a delay it is an ordinary push.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clock.job.middleware.defaults import client_middleware
from clock.job.options import Order
from clock.job.payload import encode_checked
from clock.job.push import client
from clock.job.push.template import head_of
from clock.store.ledger import held_pushes


class PreparedPush:
    """Pushes an order with any arguments, which have been checked. All events of a job class share one."""

    __slots__ = ("_chain", "_head", "_order", "_push", "queue")

    def __init__(self, order: Order, push: Callable[..., str]) -> None:
        self._order = order
        self._push = push
        self._prepare()

    def push(self, args: Sequence[object]) -> str:
        """Push the job; its jid."""
        held = held_pushes.current()
        if held is None or not self.is_plain:
            return self._push(*args)
        jid = held.next_jid()
        text = self.text(args, held.event, held.due_ms, held.previous_ms, jid, repr(client.now()))
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
