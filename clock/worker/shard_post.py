"""The shard that a worker process serves. If another shard has too few processes, it ends to be started there."""

from __future__ import annotations

import secrets

from clock.errors import StoreError
from clock.store import Redis
from clock.store.jobs.shard_claims import ShardClaims
from clock.store.server.checks.permissions import Permissions, of_shards
from clock.store.server.connection import server_time, translated
from clock.store.server.shards import Shards, every, names_of, note, shards_of
from clock.worker.launcher import own_slot
from clock.worker.options import WorkerOptions

CLAIM_SECONDS = 10.0  # a claim outlives missed heartbeats by the start of a process that replaces another
STEADY_BEATS = 3  # an outage ends all claims at once: a process moves only when the others have renewed theirs


class ShardPost:
    """The post of this process. `renew` is called with each heartbeat."""

    def __init__(self, home: Redis, shards: Shards, claims: ShardClaims) -> None:
        self.home = home
        self.number = claims.claim()
        self.redis = every(home)[self.number]
        self.address = shards.addresses[self.number]
        self._claims = claims
        self._target = self.number
        self._steady = 0

    def __str__(self) -> str:
        names = names_of(self.home)
        return f"{names[self.number]} ({self.number + 1} of {len(names)})"

    @property
    def moved(self) -> str:
        """Why the process must end, in words; empty: it stays."""
        if self._target == self.number:
            return ""
        return f"the shard {names_of(self.home)[self._target]} has fewer workers"

    def renew(self) -> None:
        """Renew the claim. Raises StoreUnavailable."""
        steady, self._steady = self._steady, 0
        may_move = steady >= STEADY_BEATS and not self.moved
        self._target = self._claims.claim(self._target, may_move=may_move)
        self._steady = steady + 1

    def leave(self) -> None:
        """Give up the claim. A process that is replaced keeps it, and so does a burst. Raises StoreUnavailable."""
        self._claims.release()


def shard_post(home: Redis, options: WorkerOptions) -> ShardPost | None:
    """The post of this process; None without shards. Call it once.

    Raises StoreError if this user may not run a command that it needs, StoreUnavailable.
    """
    shards = shards_of(home)
    if shards is None:
        return None
    Permissions(home, of_shards()).check()
    now = server_time(home)
    with translated():
        note(home, now)
    name = own_slot() or secrets.token_hex(6)
    expires_ms = int(CLAIM_SECONDS * 1000 + options.expires_seconds * 1000)
    post = ShardPost(home, shards, ShardClaims(home, name, options.queue_names, expires_ms=expires_ms))
    try:
        server_time(post.redis)
    except StoreError as error:  # it names the shard: the process has the address of each
        raise type(error)(f"The shard {post}: {error}", cause=error.cause) from error
    return post
