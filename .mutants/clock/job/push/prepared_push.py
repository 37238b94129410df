"""A push that is made again and again, each time with the same arguments: a clock's event.

It is checked and encoded once, so it costs a firing a few microseconds. With middleware, a commit or a delay it is
an ordinary push.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clock.job.middleware.defaults import client_middleware, client_middleware_for
from clock.job.options import Order, payload_fields
from clock.job.payload import encode_checked
from clock.job.push import client
from clock.store.ledger import held_pushes


class RepeatedPush:
    """Pushes one order with one list of arguments, which have been checked, whenever it is called; the jid."""

    __slots__ = ("_args", "_chain", "_event", "_event_text", "_head", "_order", "_push", "queue")

    def __init__(self, order: Order, args: Sequence[object], push: Callable[..., str]) -> None:
        self._order = order
        self._args = args
        self._push = push
        self._event = self._event_text = ""  # the latest event, and its JSON: there is hardly ever another
        self._prepare()

    def __call__(self) -> str:
        """Push it once more."""
        held = held_pushes.current()
        if held is None:
            return self._push(*self._args)
        if not self.is_plain:
            return self._push(*self._args)
        jid = held.next_jid()
        text = self.text(held.event, held.due_ms, held.previous_ms, jid, repr(client.now()))
        held.pushes.append(held_pushes.Push(text, self.queue))
        return jid

    @property
    def is_plain(self) -> bool:
        """Whether only event, due instant, jid and time change from push to push."""
        if self._chain is not client_middleware.entries:
            self._prepare()
        return self._head != ""

    def text(self, event: str, due_ms: int, previous_ms: int | None, jid: str, now: str) -> str:
        """The payload of one firing, if it is prepared; `now` is the JSON of seconds since 1970."""
        if self._event != event:
            self._event, self._event_text = event, encode_checked(event)
        firing = f'"clock":{{"event":{self._event_text},"due":{due_ms},"previous":{previous_ms or "null"}}}'
        return f'{self._head},"jid":"{jid}","created_at":{now},{firing},"enqueued_at":{now}}}'

    def _prepare(self) -> None:
        order = self._order
        fields = payload_fields(order.job, order.options)
        self._chain = client_middleware.entries  # what `_head` was made under
        delayed = order.when or order.on_commit or order.job.enqueue_after_commit
        differs = fields.keys() & {"encrypt", "unique", "limits", "then"}
        is_plain = not (client_middleware_for(fields) or delayed or differs)
        self.queue = str(fields["queue"])
        self._head = (
            encode_checked({**fields, "args": list(self._args)})[:-1] if is_plain else ""
        )  # empty: an ordinary push
