"""No program at all: a loop of a claim script and JSON decoding, ten jobs a claim. What these alone cost."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from redis import Redis

from benchmarks.workers.same_jobs import Call, mark, program

AT_ONCE = 10

_CLAIM = """
for i = 2, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
local claimed = redis.call('RPOP', KEYS[1], ARGV[1]) or {}
for i, payload in ipairs(claimed) do redis.call('HSET', KEYS[2], i, payload) end
return claimed
"""


def push(calls: Sequence[Call]) -> None:
    """Push payloads of the size that Sidekiq's have."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    times = {"created_at": 1795479891.7668173, "enqueued_at": 1795479891.7668846}
    for start in range(0, len(calls), 1000):
        redis.lpush(
            "bare",
            *(
                json.dumps(
                    {"class": name, "queue": "default", "retry": True, "args": args, "jid": "0" * 24, **times},
                    separators=(",", ":"),
                )
                for name, args in calls[start : start + 1000]
            ),
        )


def work() -> None:
    """Claim and decode until nothing is left."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    claim = redis.register_script(_CLAIM)
    done: list[int] = []
    while payloads := claim(keys=["bare", "bare:in_progress"], args=[AT_ONCE, *done]):
        for payload in payloads:
            job = json.loads(payload)
            if job["class"] == "mark":
                mark(*job["args"])
        done = list(range(1, len(payloads) + 1))


if __name__ == "__main__":
    program(push, work)
