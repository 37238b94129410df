import io
import logging
import re
from typing import Any, cast

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import JobError
from clock.job import Context, Job
from clock.job.job_run import JobRun
from clock.log import configure_logging
from clock.testing import FakeClock
from clock.worker.running.job_log import log_run, log_start

JID = "2f9b51d4c0d3a86e7b1f0c5d"


def payload(fake_clock: FakeClock) -> dict[str, object]:
    due = to_ms(fake_clock.now()) - 1_500
    return {"class": "SendMailJob", "jid": JID, "args": ["hush"], "clock": {"event": "nightly", "due": due}}


def fields(record: logging.LogRecord, *names: str) -> list[object]:
    return [getattr(record, name) for name in names]


def test_a_start_tells_of_job_queue_event_and_lateness(
    fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "clock.job")

    log_start(payload(fake_clock), "low", fake_clock)

    [record] = caplog.records
    assert record.getMessage() == f"SendMailJob {JID} starts"
    assert fields(record, "job", "jid", "queue", "event", "late_ms") == [
        "SendMailJob",
        JID,
        "low",
        "nightly",
        1_500,
    ]


def test_an_end_tells_how_long_it_took(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "clock.job")

    log_start(payload(fake_clock), "low", fake_clock)
    log_run(JobRun(payload(fake_clock), "low", "done", 0.25))

    [record] = caplog.records
    assert record.getMessage() == f"SendMailJob {JID} done in 0.250 s"
    assert fields(record, "duration_ms", "event", "due") == [250.0, "nightly", "2026-11-24T05:59:58.500000+00:00"]


class SpeakJob(Job):
    def perform(self) -> None:
        self.logger.debug("in detail")


@pytest.mark.parametrize(
    ("given", "lines"), [("debug", ["starts", "in detail", "done"]), ("error", []), ("?", [])]
)
def test_a_job_has_the_log_level_that_its_payload_names(
    given: str, lines: list[str], fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "clock.job")
    caplog.handler.setLevel("DEBUG")
    job = {**payload(fake_clock), "args": [], "log_level": given}

    log_start(job, "low", fake_clock)
    SpeakJob.run(Context(job))
    log_run(JobRun(job, "low", "done", 0.25))

    assert [record.name for record in caplog.records] == ["clock.job"] * len(lines)
    assert all(word in record.getMessage() for word, record in zip(lines, caplog.records, strict=True))


def test_a_log_level_is_an_option_of_a_push(redis: Redis) -> None:
    SpeakJob.set(log_level="debug").perform_async()

    assert b'"log_level":"debug"' in cast("bytes", redis.lindex("queue:default", 0))
    with pytest.raises(JobError, match="log_level is 'loud'; it must be debug, info, warning or error"):
        SpeakJob.set(log_level="loud")


@pytest.mark.usefixtures("log_as_before")
@pytest.mark.parametrize("reader", ["nobody else", "a filter", "a handler", "a factory"])
def test_the_line_of_a_job_that_is_done_is_the_same_whoever_gets_its_record_too(
    fake_clock: FakeClock, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, seen = io.StringIO(), list[logging.LogRecord]()
    configure_logging("text", "info", stream=stream)
    read_by(reader, seen, monkeypatch)

    log_run(JobRun({**payload(fake_clock), "class": "Send\nMailJob "}, "low", "done", 0.25))

    assert re.fullmatch(rf"\S+T\S+\.\d\d\dZ INFO Send\\nMailJob  {JID} done in 0\.250 s\n", stream.getvalue())
    assert len(seen) == (reader != "nobody else")


def read_by(reader: str, seen: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody of the application get the records of finished jobs."""

    def see(record: logging.LogRecord) -> bool:
        seen.append(record)
        return True

    def make(*args: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args)
        see(record)
        return record

    if reader == "a filter":
        logging.getLogger("clock").handlers[0].addFilter(see)
    elif reader == "a handler":
        handler = logging.NullHandler()
        monkeypatch.setattr(handler, "handle", see)
        monkeypatch.setattr(logging.getLogger("clock.job"), "handlers", [handler])
    elif reader == "a factory":
        monkeypatch.setattr(logging, "_logRecordFactory", make)


@pytest.mark.usefixtures("log_as_before")
def test_a_closed_stream_costs_a_line_and_no_job(
    fake_clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    configure_logging("text", "info", stream=stream)
    stream.close()

    log_run(JobRun(payload(fake_clock), "low", "done", 0.25))

    assert "I/O operation on closed file" in capsys.readouterr().err


def test_a_failure_tells_what_becomes_of_the_job(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    log_run(JobRun(payload(fake_clock), "low", "failed", 0.25, ValueError("no"), then="moved to dead"))

    [record] = caplog.records
    assert record.getMessage() == f"SendMailJob {JID} failed in 0.250 s: ValueError: no (moved to dead)"
    assert record.exc_info is not None


def test_no_line_holds_the_arguments(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "clock.job")

    log_start(payload(fake_clock), "low", fake_clock)
    log_run(JobRun(payload(fake_clock), "low", "done", 0.25))

    assert "hush" not in "".join(str(vars(record)) for record in caplog.records)
