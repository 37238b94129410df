import io
import logging
import os
import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import JobError
from clock.job import Context, Job
from clock.job.context import JobRun, Outcome
from clock.log import MOST_GATHERED, configure_logging, write_gathered_lines
from clock.testing import FakeClock
from clock.worker.running.job_log import log_run, log_start
from tests.worker.conftest import Bench
from tests.worker.jobs import BreakThingJob, NoteThingJob

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


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_the_duration_of_a_job_is_logged_in_milliseconds_to_the_microsecond(
    fake_clock: FakeClock, caplog: pytest.LogCaptureFixture, outcome: Outcome
) -> None:
    caplog.set_level("INFO", "clock.job")

    log_run(JobRun(payload(fake_clock), "low", outcome, 0.0123456))

    assert fields(caplog.records[0], "duration_ms") == [12.346]


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


@pytest.mark.usefixtures("log_as_before")
def test_filters_and_a_general_stop_of_the_log_apply_to_a_job_with_a_level(
    fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    job = JobRun({**payload(fake_clock), "log_level": "debug"}, "low", "done", 0.25)
    none = logging.Filter("no logger")
    log_run(job)
    logging.disable(logging.CRITICAL)
    log_run(job)
    logging.disable(logging.NOTSET)
    logging.getLogger("clock.job").addFilter(none)
    log_run(job)
    logging.getLogger("clock.job").removeFilter(none)

    assert len(caplog.records) == 1


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


class SeesJobs(io.StringIO):
    """Notes how many jobs are not acknowledged whenever the log is written."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.redis = redis
        self.unacknowledged: list[object] = []

    def write(self, text: str) -> int:
        self.unacknowledged.append(self.redis.hlen("clock:in_progress:host:1:abc"))
        return super().write(text)


@pytest.mark.usefixtures("log_as_before")
def test_the_lines_of_short_jobs_are_written_at_once_and_before_the_jobs_are_acknowledged(
    redis: Redis, bench: Callable[..., Bench]
) -> None:
    stream, worker = SeesJobs(redis), bench()
    configure_logging("text", "info", stream=stream)
    jids = NoteThingJob.perform_bulk([[number] for number in range(5)])
    worker.fetcher.claim(5)

    for _ in range(5):
        worker.processor.process(worker.take())
    before = stream.getvalue()
    worker.fetcher.acknowledge()

    assert before == ""
    assert [line.split()[3] for line in stream.getvalue().splitlines()] == jids
    assert stream.unacknowledged == [5]
    assert redis.hlen("clock:in_progress:host:1:abc") == 0


@pytest.mark.usefixtures("log_as_before")
def test_the_line_of_a_job_with_a_result_is_written_before_it_is_acknowledged(
    redis: Redis, bench: Callable[..., Bench]
) -> None:
    stream, worker = SeesJobs(redis), bench()
    configure_logging("text", "info", stream=stream)
    NoteThingJob.set(result_ttl=60).perform_async(1)
    worker.fetcher.claim(1)

    worker.processor.process(worker.take())

    assert stream.unacknowledged == [1]
    assert redis.hlen("clock:in_progress:host:1:abc") == 0


@pytest.mark.usefixtures("log_as_before")
def test_a_failure_of_the_next_job_comes_after_the_lines_of_short_jobs(
    redis: Redis, bench: Callable[..., Bench]
) -> None:
    stream, worker = io.StringIO(), bench()
    configure_logging("text", "info", stream=stream)
    NoteThingJob.perform_async(1)
    BreakThingJob.perform_async()
    worker.fetcher.claim(2)

    for _ in range(2):
        worker.processor.process(worker.take())

    first, second = (
        line for line in stream.getvalue().splitlines() if "Job " in line and not line.startswith(" ")
    )
    assert (" done in " in first, " failed in " in second) == (True, True)


def log_short_job(number: int) -> None:
    log_run(JobRun({"class": "ShortJob", "jid": str(number)}, "low", "done", 0.0001))


@pytest.mark.usefixtures("log_as_before")
def test_other_lines_come_after_those_of_jobs_that_ended_before() -> None:
    stream = io.StringIO()
    configure_logging("text", "info", stream=stream)

    log_short_job(1)
    logging.getLogger("shop").info("of the application")
    log_short_job(2)
    logging.getLogger("clock.worker").info("of the worker")
    log_short_job(3)
    log_run(JobRun({"class": "LongJob", "jid": "4"}, "low", "done", 0.25))
    log_short_job(5)
    logging.getLogger("clock").handlers[0].flush()

    words = [line.split()[2:4] for line in stream.getvalue().splitlines()]
    expected = ["ShortJob 1", "of the", "ShortJob 2", "of the", "ShortJob 3", "LongJob 4", "ShortJob 5"]
    assert words == [each.split() for each in expected]


@pytest.mark.usefixtures("log_as_before")
def test_gathered_lines_are_written_without_a_call_when_they_are_many() -> None:
    stream = io.StringIO()
    configure_logging("text", "info", stream=stream)

    for number in range(MOST_GATHERED + 1):
        log_short_job(number)

    assert len(stream.getvalue().splitlines()) == MOST_GATHERED


@pytest.mark.usefixtures("log_as_before")
def test_a_line_that_the_stream_cannot_encode_costs_no_other_line(capsys: pytest.CaptureFixture[str]) -> None:
    raw = io.BytesIO()
    configure_logging("text", "info", stream=io.TextIOWrapper(raw, encoding="ascii"))

    log_short_job(1)
    log_run(JobRun({"class": "ÄrgerJob", "jid": "2"}, "low", "done", 0.0001))
    log_short_job(3)
    write_gathered_lines()

    assert [line.split()[3] for line in raw.getvalue().splitlines()] == [b"1", b"3"]
    assert "ÄrgerJob" in capsys.readouterr().err


@pytest.mark.usefixtures("log_as_before")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_write_the_lines_of_its_parent() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as lines, os.fdopen(write, "w") as stream:
        configure_logging("text", "info", stream=stream)
        log_short_job(1)
        if (pid := os.fork()) == 0:
            log_run(JobRun({"class": "ChildJob", "jid": "2"}, "low", "done", 0.25))
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        write_gathered_lines()
        stream.close()

        assert [line.split()[2] for line in lines] == ["ChildJob", "ShortJob"]
