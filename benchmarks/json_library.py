"""What reading and writing a payload costs with the standard library's JSON, and as clock does it.

    python benchmarks/json_library.py

Microseconds for one payload: the best of several rounds. docs/decisions/json.md draws the conclusion.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from timeit import repeat

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from clock.job.payload import decode, encode_checked
from clock.job.push.bulk_arguments import encode_all, new_jids

COUNT = 1_000
ARGS: list[object] = [1234567, "due_tomorrow", {"lessons": [1, 2], "by": "mail"}]
FIELDS = {
    "class": "SendReminderJob",
    "queue": "default",
    "retry": True,
    "created_at": 1795479891.766,
    "enqueued_at": 1795479891.766,
}


def main() -> None:
    """Print the table."""
    payload = {**FIELDS, "args": ARGS, "jid": new_jids(1)[0]}
    text = encode_checked(payload).encode()
    write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    jids, batches = new_jids(COUNT), [ARGS] * COUNT
    print(f"{len(text)} bytes, microseconds      json   clock")
    tell("read", lambda: json.loads(text), lambda: decode(text))
    tell("write", lambda: write(payload), lambda: encode_checked(payload))
    tell(
        "write, one of a thousand",
        lambda: [write({**FIELDS, "args": args, "jid": jid}) for args, jid in zip(batches, jids, strict=True)],
        lambda: encode_all(FIELDS, batches, jids),
        COUNT,
    )


def tell(what: str, standard: Callable[[], object], ours: Callable[[], object], payloads: int = 1) -> None:
    """Measure both and print a row."""
    times = 20_000 // payloads
    theirs, mine = (min(repeat(run, number=times, repeat=7)) / times / payloads * 1e6 for run in (standard, ours))
    print(f"{what:24} {theirs:10.2f} {mine:7.2f}")


if __name__ == "__main__":
    main()
