"""What Sidekiq's page shows of a running job."""

import json

import pytest

from clock.store.jobs.in_progress import Claimed
from clock.worker.heartbeat.status import SHOWN_BYTES, resident_kb, shown


def test_a_payload_is_shown_as_it_is() -> None:
    payload = b'{"class":"A","args":["\xff"]}'

    assert shown(Claimed(1, "default", payload)) == payload.decode(errors="replace")


def test_a_large_payload_is_shown_without_its_arguments() -> None:
    payload = {"class": "SendMailJob", "jid": "abc", "created_at": 1795479891.5, "args": ["x" * SHOWN_BYTES]}
    text = json.dumps(payload).encode()

    told = json.loads(shown(Claimed(1, "default", text)))

    assert told == {
        "class": "SendMailJob",
        "jid": "abc",
        "created_at": 1795479891.5,
        "enqueued_at": None,
        "queue": "default",
        "args": [f"{len(text)} bytes, not shown"],
    }


@pytest.mark.parametrize(
    "payload",
    [b"\xff" * 20_000, b"[" * 100_000, b'{"class":1,"jid":[' + b"1," * 9_000 + b"1]}", b"7" + b" " * 20_000],
)
def test_a_large_payload_that_is_no_job_is_shown_by_its_size(payload: bytes) -> None:
    told = json.loads(shown(Claimed(1, "default", payload)))

    assert (told["class"], told["args"]) == ("", [f"{len(payload)} bytes, not shown"])


def test_the_memory_of_the_process_is_known_although_it_may_open_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resident_kb() > 1_000

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("builtins.open", refuse)

    assert resident_kb() > 1_000
