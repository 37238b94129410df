"""Every reader of data that others write: what it may raise, and what holds for what it accepts.

A reader takes bytes. It must return, or raise an error that it documents; anything else is a bug.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from clock.config import load_config
from clock.config.settings import SETTINGS
from clock.errors import ClockError
from clock.health import probe_http
from clock.job.encryption import decrypted_args, key_id_of
from clock.job.payload import decode, encode_again, queue_of
from clock.printable import UNPRINTABLE, printable
from clock.store.ledger import history
from clock.store.server import address
from clock.timetable.explanation import cron_prose
from clock.timetable.triggers.clockwork import at_words, parse_at
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.rrule import parse_rrule
from clock.web.http import Request

START, YEARS = 1_800_000_000, 41 * 366 * 86_400  # seconds; a leap day on a Sunday may be 40 years away
UTC = ZoneInfo("UTC")


def payload(data: bytes) -> None:
    """A job in a queue."""
    value = decode(data)
    assert queue_of(value)
    if isinstance(value, dict):
        assert decode(encode_again(value).encode(errors="surrogatepass")) == value
        key_id_of(value)
        decrypted_args(value)


def history_entry(data: bytes) -> None:
    """An entry of the history."""
    found = history.decoded(data)
    assert found is None or set(history.RECORD) <= set(found)


def url(data: bytes) -> None:
    """REDIS_URL. A password is not in the masked form."""
    text = data.decode(errors="replace")
    address.masked(text)
    address.read(text)


def cron(data: bytes) -> None:
    """A cron expression. An accepted expression is due within 41 years and can be put in words."""
    text = data.decode(errors="replace")
    trigger = Cron(text, UTC)
    first = list(islice(trigger.due_between(START, START + YEARS, START, None), 2))
    assert first == sorted(set(first))
    assert first
    assert cron_prose(text)


def rrule(data: bytes) -> None:
    """A rule of iCalendar; the text of an accepted rule is accepted."""
    rule = parse_rrule(data.decode(errors="replace"))
    assert parse_rrule(rule.text) is not None


def at(data: bytes) -> None:
    """`at` of Clockwork's form; its words are not empty."""
    assert at_words(parse_at(data.decode(errors="replace")))


def settings_file(data: bytes) -> None:
    """config/clock.yml, with events."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clock.yml")
        path.write_bytes(data)
        load_config({}, environ={}, file=path)


def environment(data: bytes) -> None:
    """A variable for each setting."""
    text = data.decode(errors="replace").replace("\0", "")
    for setting in SETTINGS:
        if setting.variable:
            with suppress(ClockError):
                load_config({}, environ={setting.variable: text})


def probe_request(data: bytes) -> None:
    """A request at the health port."""

    async def read() -> None:
        reader = asyncio.StreamReader(limit=probe_http.HEADER_BYTES)
        reader.feed_data(data)
        reader.feed_eof()
        await probe_http._read(reader)

    asyncio.run(read())


def form(data: bytes) -> None:
    """A request at the dashboard."""
    text = data.decode("latin-1")
    request = Request("POST", "/" + text, text, {"cookie": text, "accept": text}, data)
    for fields in (request.query, request.form):
        assert all(isinstance(value, str) for values in fields.values() for value in values)
    assert isinstance(request.is_readable, bool)
    assert isinstance(request.wants_json, bool)
    assert all(isinstance(value, str) for value in request.cookies.values())
    assert "\n" not in request.link("/" + text, name=text)


def terminal(data: bytes) -> None:
    """A value that a command shows."""
    shown = printable(data.decode(errors="surrogateescape"))
    assert not UNPRINTABLE.search(shown)
    shown.encode()


@dataclass(frozen=True, slots=True)
class Reader:
    """`read` takes bytes and may raise `errors`; `seeds` are examples of valid data."""

    read: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]


_JOB = {"class": "A", "args": [1, "v1:00:aa", {"b": None}], "jid": "a" * 24, "queue": "low", "encrypt": True}
_RECORD = {
    "due": 1,
    "kind": "fired",
    "at": 2,
    "host": "a",
    "release": "b",
    "jids": ["c"],
    "detail": {"late_ms": 1},
}
_YAML = b"redis: redis://h\nqueues: [[a, 2], b]\n:schedule:\n  a:\n    cron: '* * * * *'\n    class: A\n"

READERS: Mapping[str, Reader] = {
    "payload": Reader(
        payload,
        (ValueError, RecursionError, ClockError),
        (json.dumps(_JOB).encode(), b"[1e999, NaN, -0]", b"[" * 3_000),
    ),
    "history": Reader(history_entry, (), (json.dumps(_RECORD).encode(), b"{}", b"[" * 3_000)),
    "url": Reader(
        url,
        (ClockError,),
        (
            b"rediss://u:p@h:6379/1?ssl_cert_reqs=none",
            b"redis+sentinel://a:1,b/m/0",
            b"unix:///a?db=1",
            b"redis://[::1]",
        ),
    ),
    "cron": Reader(cron, (ValueError,), (b"*/5 9-17 L * mon#2,fri", b"@daily", b"0 0 29 2 *", b"1W 30-L 5 * 2&")),
    "rrule": Reader(
        rrule,
        (ValueError,),
        (b"FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", b"DTSTART;TZID=Europe/Berlin:20260101T060000 RRULE:FREQ=DAILY"),
    ),
    "at": Reader(at, (ValueError,), (b"Monday 16:20", b"**:30", b"6:05:01", b"HH:**")),
    "settings": Reader(
        settings_file, (ClockError,), (_YAML, b"production:\n  concurrency: 5\n", b"a: &a [*a]", b"---\n---")
    ),
    "environment": Reader(environment, (), (b"5", b"redis://h:1", b"a,2", b"json", b"1e999")),
    "probe": Reader(
        probe_request,
        (probe_http._Refused, ConnectionError),
        (b"GET /live?a=b HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD //[ x\n\n"),
    ),
    "form": Reader(form, (), (b"name=a&name=%ff&csrf=1", b'a=b; c="d"', b"&" * 50)),
    "terminal": Reader(terminal, (), (b"\x1b[2J\r\n", "\u202e\ufeff".encode(), b"\xff\xfe")),
}


def check(name: str, data: bytes) -> None:
    """Read some data. Raises what the reader must not raise."""
    reader = READERS[name]
    with suppress(*reader.errors):
        reader.read(data)
