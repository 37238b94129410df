import asyncio
import io
import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator

import pytest

from clock.job import Context, Job
from clock.log import TRACEBACK_LIMIT, JobFields, JobLogContext, configure_logging, log_to

pytestmark = pytest.mark.usefixtures("log_as_before")


def written(log_format: str, level: str = "info") -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    configure_logging(log_format, level, stream=stream)
    return logging.getLogger("clock.test"), stream


def test_a_line_of_text_has_time_level_and_message() -> None:
    logger, stream = written("text")

    logger.info("Triggering %r", "nightly")

    assert stream.getvalue().endswith("Z INFO Triggering 'nightly'\n")


def test_a_jobs_own_line_of_text_begins_with_its_class_and_jid() -> None:
    _, stream = written("text")
    job = Job.for_context(Context({"jid": "2f9b51d4c0d3a86e7b1f0c5d"}))
    job.wire_name = "SendDigestJob"  # type: ignore[misc]  # no class of its own is needed

    job.log_fields["tags"] = ["mail"]
    job.logger.info("sent %d", 7, extra={"to": "all"})

    line = "Z INFO SendDigestJob 2f9b51d4c0d3a86e7b1f0c5d to=all tags=['mail']: sent 7\n"
    assert stream.getvalue().endswith(line)


def test_a_line_of_json_is_ascii_so_that_no_stream_can_spoil_it() -> None:
    logger, stream = written("json")

    logger.info("Größe ☃ \udcff")

    assert stream.getvalue().isascii()
    assert json.loads(stream.getvalue())["message"] == "Größe ☃ \udcff"


def test_a_line_of_json_has_what_it_is_about_as_fields() -> None:
    logger, stream = written("json")

    logger.info("Triggering %r", "nightly", extra={"event": "nightly", "due": "2026-11-24T06:00:00+00:00"})

    line = json.loads(stream.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("info", "clock.test", "Triggering 'nightly'")
    assert (line["event"], line["due"]) == ("nightly", "2026-11-24T06:00:00+00:00")


def test_a_traceback_is_a_field_and_stays_in_its_line() -> None:
    logger, stream = written("json")

    try:
        raise ValueError("no")
    except ValueError as error:
        logger.error("failed", exc_info=error)

    assert stream.getvalue().count("\n") == 1
    assert "ValueError: no" in json.loads(stream.getvalue())["traceback"]


HOSTILE = "\x1b[2J\x07\x9b31m\u202e\u2066\x7f\r\n\x0b\x85\u2028\udc9b2026-11-24T06:00:00.003Z INFO forged"


def raises(text: str) -> ValueError:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_no_value_ends_its_line_of_text_or_writes_what_a_terminal_obeys() -> None:
    logger, stream = written("text")

    logger.info("%s %s done", "TraceJob", HOSTILE, extra={"class": HOSTILE, "jid": HOSTILE, "tags": HOSTILE})

    [line] = stream.getvalue().splitlines()
    assert line.isprintable()
    assert line.count(r"\x1b[2J\x07\x9b31m\u202e\u2066\x7f\r\n\x0b\x85\u2028\udc9b2026-11-24") == 4


def test_no_line_of_a_traceback_looks_like_a_line_of_the_log() -> None:
    logger, stream = written("text")

    logger.error("failed: %s", HOSTILE, exc_info=raises(HOSTILE))

    first, *others = stream.getvalue().splitlines()
    assert "ERROR failed: " in first
    assert others[0] == "    Traceback (most recent call last):"
    assert all(line.isprintable() and line.startswith("    ") for line in others)
    assert "2026-11-24T06:00:00.003Z INFO forged" in others[-1]


@pytest.mark.slow
def test_a_traceback_that_cannot_be_made_costs_no_line() -> None:
    logger, stream = written("text")
    error: Exception = raises("no")
    for _ in range(5_000):
        error = ExceptionGroup("tasks", [error])

    logger.error("failed", exc_info=error)

    assert stream.getvalue().splitlines()[0].endswith("Z ERROR failed")


def test_a_traceback_that_python_fails_to_format_costs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RecursionError

    logger, stream = written("text")
    monkeypatch.setattr(traceback, "print_exception", fail)

    logger.error("failed", exc_info=raises("no"))

    first, second = stream.getvalue().splitlines()
    assert first.endswith("Z ERROR failed")
    assert second.strip() == "(the traceback cannot be shown: RecursionError)"


def test_a_very_long_traceback_loses_its_middle() -> None:
    logger, stream = written("json")

    logger.error("failed", exc_info=raises("a" * 10_000_000 + " the end"))

    traceback = json.loads(stream.getvalue())["traceback"]
    assert len(traceback) < TRACEBACK_LIMIT + 100
    assert traceback.startswith("Traceback (most recent call last):")
    assert "characters left out)" in traceback
    assert traceback.endswith("a the end")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_field_that_json_cannot_hold_costs_no_line() -> None:
    logger, stream = written("json")
    itself: list[object] = []
    itself.append(itself)

    for field in ({(1, 2): 3}, itself, Unprintable(), [Unprintable()], {1, 2}, float("nan"), b"\xff"):
        logger.info("order %d", 7, extra={"field": field})

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["order 7"] * 7
    assert lines[0]["field"] == "{(1, 2): 3}"
    assert lines[2]["field"] == "(a Unprintable that cannot be shown: RuntimeError)"


def test_what_is_below_the_level_is_not_written() -> None:
    logger, stream = written("text", "warning")

    logger.info("quiet")
    logger.warning("loud")

    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.fixture
def ours() -> Iterator[logging.Logger]:
    """The package's logger, put back afterwards as it was."""
    logger = logging.getLogger("clock")
    before = logger.handlers[:], logger.propagate
    yield logger
    logger.handlers[:], logger.propagate = before


def test_the_packages_lines_go_to_the_logger_of_the_clock_file_and_nowhere_else(
    ours: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    lines = io.StringIO()
    mine = logging.Logger("mine", level=logging.WARNING)
    mine.addHandler(logging.StreamHandler(lines))

    caplog.set_level(logging.INFO, "clock")
    log_to(mine)
    logging.getLogger("clock.ticker").warning("Threads exhausted")
    logging.getLogger("clock.ticker").info("Triggering")

    assert lines.getvalue() == "Threads exhausted\n"
    assert caplog.messages == []


class GonePipe(io.StringIO):
    """What is left to write to when the program that read the log has ended."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_log_that_nobody_reads_any_more_stops_nothing_and_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("text", "info", stream=GonePipe())

    logging.getLogger("clock.test").info("Triggering %r", "nightly")

    assert capsys.readouterr().err == ""


def test_a_line_that_is_written_wrongly_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    logger, _ = written("text")

    logger.info("%d jobs", "many")

    assert "Logging error" in capsys.readouterr().err


class ReportingJob(Job):
    """Logs by the application's own logger."""

    def perform(self) -> None:
        logging.getLogger("shop.mail").info("sent")


class ReportingCoroutineJob(Job):
    async def perform(self) -> None:
        await asyncio.to_thread(logging.getLogger("shop.mail").info, "sent in a thread")


PUSHED = {"jid": "2f9b51d4", "args": [], "clock": {"event": "nightly", "due": 1}}


def test_a_line_of_the_applications_own_inside_a_job_carries_jid_class_and_event() -> None:
    _, stream = written("text")

    ReportingJob.run(Context({**PUSHED, "class": "ReportingJob"}))
    asyncio.run(ReportingCoroutineJob.arun(Context({"jid": "77", "class": "ReportingCoroutineJob"})))
    logging.getLogger("shop.mail").info("outside")

    assert [line.partition(" INFO ")[2] for line in stream.getvalue().splitlines()] == [
        "ReportingJob 2f9b51d4 event=nightly: sent",
        "ReportingCoroutineJob 77: sent in a thread",
        "outside",
    ]


def test_a_line_of_json_inside_a_job_carries_jid_class_and_event() -> None:
    _, stream = written("json")

    ReportingJob.run(Context({**PUSHED, "class": "ReportingJob"}))
    ReportingJob.for_context(Context({**PUSHED, "class": "ReportingJob"})).logger.info("by the job's logger")

    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["jid"], first["class"], first["event"]) == ("2f9b51d4", "ReportingJob", "nightly")
    assert (second["jid"], second["event"]) == ("2f9b51d4", "nightly")


def test_an_applications_own_handler_gets_the_fields_by_a_filter() -> None:
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logging.Formatter("%(class)s/%(jid)s/%(event)s %(message)s"))
    handler.addFilter(JobFields())
    logger = logging.Logger("shop")
    logger.addHandler(handler)

    logger.info("outside")
    with JobLogContext({**PUSHED, "class": "ReportingJob"}):
        logger.info("inside")

    assert lines.getvalue() == "// outside\nReportingJob/2f9b51d4/nightly inside\n"


CONFIGURED = """
import io, json, logging, logging.config, os, sys, tempfile
from clock.log import configure_logging
import clock.worker

console = {"version": 1, "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}}}
root = {"root": {"handlers": ["console"], "level": "WARNING"}}
ini = "[loggers]\\nkeys=root\\n[handlers]\\nkeys=h\\n[formatters]\\nkeys=\\n[logger_root]\\nhandlers=h\\n"
ini += "[handler_h]\\nclass=StreamHandler\\nargs=(sys.stdout,)\\n"

def file_config():
    logging.config.fileConfig(io.StringIO(ini))

ways = {
    "bare": lambda: logging.config.dictConfig({"version": 1}),
    "root": lambda: logging.config.dictConfig({**console, **root}),
    "kept": lambda: logging.config.dictConfig({**console, **root, "disable_existing_loggers": False}),
    "file": file_config,
    "basic": lambda: logging.basicConfig(force=True, stream=sys.stdout),
    "cleared": lambda: logging.getLogger().handlers.clear(),
    "named": lambda: logging.config.dictConfig(
        {**console, "loggers": {"clock": {"handlers": ["console"], "level": "INFO"}}}
    ),
    "level": lambda: logging.config.dictConfig({**console, **root, "loggers": {"clock": {"level": "ERROR"}}}),
    "child": lambda: logging.config.dictConfig({**console, "loggers": {"clock.job": {"level": "ERROR"}}}),
}
found = {}
for name, configure in ways.items():
    sys.stdout = io.StringIO()
    configure_logging("text", "info")
    configure()
    logging.getLogger("clock.job").info("done")
    logging.getLogger("clock.worker").error("Redis is away")
    found[name] = [line.partition("Z ")[2] or line for line in sys.stdout.getvalue().splitlines()]
    sys.stdout = sys.__stdout__
print(json.dumps(found))
"""


@pytest.mark.process
def test_an_applications_configuration_of_logging_silences_and_doubles_none_of_our_lines_unless_it_names_us() -> (
    None
):
    done = subprocess.run([sys.executable, "-c", CONFIGURED], capture_output=True, text=True, check=True)

    ours = ["INFO done", "ERROR Redis is away"]
    assert json.loads(done.stdout) == {
        **dict.fromkeys(["bare", "root", "kept", "file", "basic", "cleared"], ours),
        "named": ["done", "Redis is away"],  # by the application's handler
        "level": ["Redis is away"],
        "child": ["ERROR Redis is away"],
    }
