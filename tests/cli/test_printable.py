"""Whatever Redis, a payload or an exception says, no command hands a terminal what it would obey."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from clock.cli.app import main
from clock.clocks import from_ms
from clock.store.ledger import pauses
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.history import add_outcome
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import Pause
from clock.timetable import load

#: An escape sequence, a bell, C1's own introducer, what reorders text, and everything that ends a line.
HOSTILE = "\x1b]0;pwn\x07\x9b31m\u202e\u2066\u061c\x7f\r\n\x0b\x0c\x85\u2028\u2029FORGED all is well"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
BROKEN = HOSTILE + "\udc9b"  # and a surrogate: what Python makes of a byte that is no UTF-8

FILE = """
from clock import configure, every
configure(tz="Europe/Berlin")
every().day.at("01:30").do(print).named("nightly")
"""


def job(jid: str, **fields: object) -> str:
    return json.dumps(
        {"class": HOSTILE, "args": [HOSTILE], "queue": HOSTILE, "jid": jid, "tags": [HOSTILE], **fields}
    )


@pytest.fixture(autouse=True)
def hostile(application: Path, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that says it wherever it can."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)
    failed = {"error_class": HOSTILE, "error_message": BROKEN, "retry_count": 1, "failed_at": 1.0}
    redis.sadd("queues", HOSTILE)
    redis.lpush(f"queue:{HOSTILE}", job("a"), job(HOSTILE))
    for place in ("retry", "schedule", "dead"):
        redis.zadd(place, {job("b", **failed): 1.0, job(HOSTILE, **failed): 2.0, HOSTILE: 3.0})
    info = {"hostname": HOSTILE, "queues": [HOSTILE], "concurrency": 5, "started_at": 1.0, "identity": HOSTILE}
    redis.sadd("processes", HOSTILE)
    redis.hset(HOSTILE, mapping={"info": json.dumps(info), "busy": 2, "beat": 1.0})
    _of_the_clock(redis)


def _of_the_clock(redis: Redis) -> None:
    ledger = RedisLedger(redis)
    event = load("lib/clock.py").event("nightly")
    [entry] = ledger.declare([("nightly", event.declaration)], 1_767_225_600_000)
    detail = {"reason": HOSTILE, "host": HOSTILE, "release": HOSTILE, "jobs": 1, "jids": [HOSTILE]}
    decision = Decision(
        "nightly", event.declaration, entry.decided_ms, 1_767_313_800_000, DecisionKind.ERROR, detail, []
    )
    ledger.commit([decision])
    ledger.declare([(HOSTILE, HOSTILE)], 1_767_225_600_000)
    outcome = {"outcome": "dead", "at": 1_767_313_800_000, "took_ms": 1, "error": HOSTILE}
    add_outcome(redis, "nightly", HOSTILE, outcome, ended=True)
    pauses.pause(redis, "nightly", Pause(from_ms(1), None, HOSTILE, HOSTILE))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the program on a narrow terminal; what it writes, to stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "60")

    def written(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["clock", *words])
        with pytest.raises(SystemExit):
            main()
        return "".join(capsys.readouterr())

    return written


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["list"],
        ["explain"],
        ["doctor"],
        ["config"],
        ["check"],
        ["preview", "--to", "2d"],
        ["history", "nightly"],
        ["history", HOSTILE],
        ["why", "nightly", "2026-01-02"],
        ["why", "nightly", HOSTILE],
        ["why", HOSTILE, "2026-01-02"],
        ["fire", HOSTILE],
        ["pause", "nightly", "--note", HOSTILE, "--by", HOSTILE],
        ["pause", HOSTILE, "--until", "2h"],
        ["pause", "nightly", "--until", HOSTILE],
        ["resume", HOSTILE],
        ["queue", "list"],
        ["queue", "list", HOSTILE],
        ["queue", "show", HOSTILE, HOSTILE],
        ["queue", "show", "none", HOSTILE],
        ["queue", "clear", HOSTILE, "--yes"],
        *(
            [place, *command]
            for place in ("retry", "scheduled", "dead")
            for command in (["list"], ["show", HOSTILE])
        ),
        ["dead", "retry", HOSTILE, "--yes"],
        ["retry", "kill", HOSTILE, "--yes"],
        ["scheduled", "delete", "no" + HOSTILE, "--yes"],
        ["retry", "list", "--older-than", HOSTILE],
        ["check", HOSTILE],
        ["preview", "--from", HOSTILE],
        ["diff", HOSTILE],
        ["new", "job", HOSTILE],
        ["config", "--config", HOSTILE],
        ["status", "--redis", f"redis://{HOSTILE}"],
        [HOSTILE],
        ["--" + HOSTILE],
    ],
    ids=lambda words: " ".join(words).replace(HOSTILE, "HOSTILE"),
)
def test_no_command_writes_what_a_terminal_obeys(words: list[str], run: Callable[..., str]) -> None:
    for form in ([], ["--json"]):
        written = run(*words, *form)

        assert RAW.findall(written) == []
        assert [line for line in written.splitlines() if line.startswith("FORGED")] == []


def test_json_is_escaped_and_of_the_same_value(run: Callable[..., str]) -> None:
    [first, *_] = json.loads(run("dead", "list", "--json"))

    assert first["class"] == HOSTILE
    assert first["error_message"] == BROKEN


def test_an_error_of_several_lines_is_one_line_of_history(run: Callable[..., str]) -> None:
    lines = run("history", "nightly").splitlines()

    assert len(lines) == 2
    assert r"failed, no jobs pushed; \x1b]0;pwn\x07\x9b31m\u202e" in lines[0]
    assert lines[1].startswith(r"  job \x1b]0;pwn")


def test_a_group_without_a_command_shows_its_help_line_by_line(run: Callable[..., str]) -> None:
    shown = run("queue")

    assert shown.startswith("Usage: ")
    assert "\nCommands:\n" in shown
