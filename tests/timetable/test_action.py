"""The action of an event."""

from datetime import UTC, datetime

import pytest

from clock.timetable.action import Call, Enqueue, monitored
from tests.timetable.jobs import SendLetterJob, act

DUE = datetime(2026, 11, 24, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (SendLetterJob, "SendLetterJob('me')"),
        (SendLetterJob.set(queue="low"), "SendLetterJob.set(queue='low')('me')"),
    ],
)
def test_the_job_of_a_monitored_event_carries_its_slug_and_keeps_its_words(job: object, words: str) -> None:
    action = Enqueue(job, ("me",))  # type: ignore[arg-type]  # a job, or one with options

    plain, defined = monitored(action, "mail"), monitored(action, "mail", {"schedule": "daily"})

    assert [str(found) for found in (action, plain, defined, monitored(plain, "mail"))] == [words] * 4
    assert isinstance(plain, Enqueue)
    assert isinstance(defined, Enqueue)
    payloads = [found.text("mail", 0, None, "a jid", "0") for found in (plain, defined)]
    assert ['"x_clock_monitor":"mail"' in payload for payload in payloads] == [True, True]
    assert ['"x_clock_monitor_config"' in payload for payload in payloads] == [False, True]


def test_a_function_has_no_payload_for_a_slug() -> None:
    action = Call(act)

    assert monitored(action, "mail") is action
