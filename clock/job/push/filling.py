"""The batch that receives the jobs which this thread or task pushes.

The jid of a child is made from the batch, the child's class and arguments, and its place among the children that
are equal in these. So a job that opens a batch and runs again adds only the children that are missing, even if it
pushes them in another order.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from clock.forking import in_child
from clock.job.payload import encode


class Filling:
    """A block that adds the jobs pushed in it to the batch `bid`. It may be used from several threads.

    `adder` is the jid of the job that adds to its own batch, with its item if it iterates; '': the block has
    opened the batch.
    """

    def __init__(self, bid: str, adder: str = "") -> None:
        self.bid = bid
        self.adder = adder
        self._lock = threading.Lock()
        self._places: Counter[bytes] = Counter()  # guarded by _lock; digest of class and arguments -> children

    def next_jid(self, fields: Mapping[str, object], args: Sequence[object]) -> str:
        """The jid of the next child: 24 hex digits. The arguments of encrypted jobs do not count."""
        content = encode([self.bid, self.adder, fields["class"], [] if fields.get("encrypt") else list(args)])
        digest = hashlib.blake2b(content.encode(errors="surrogatepass"), digest_size=12).digest()
        with self._lock:
            place = self._places[digest]
            self._places[digest] += 1
        return hashlib.blake2b(digest + str(place).encode(), digest_size=12).hexdigest()


def jid_after(name: str, event: str) -> str:
    """The jid of the job that follows: the same for each run of the job or batch `name`."""
    return hashlib.blake2b(f"{name}\0{event}".encode(), digest_size=12).hexdigest()


CURRENT: ContextVar[Filling | None] = ContextVar("clock_batch", default=None)
#: Returns the batch that receives what this thread or task pushes; None without one.
current = CURRENT.get
#: Returns the cursor, as JSON, of the item that an iterating job handles. A run that continues has other items
#: before it, so what an item pushes is counted from its start.
ITEM: ContextVar[Callable[[], str] | None] = ContextVar("clock_item", default=None)


def named(jid: str) -> str:
    """The name of a running job, with its item if it iterates: the same for each run of this item."""
    item = ITEM.get()
    return f"{jid}\0{item()}" if item else jid


@contextmanager
def filled_in(filling: Filling | None) -> Iterator[None]:
    """Add the jobs that are pushed inside the block to a batch. None: to none."""
    token = CURRENT.set(filling)
    try:
        yield
    finally:
        CURRENT.reset(token)


in_child(lambda: CURRENT.set(None))  # or else it would give its jobs the jids of its parent's
