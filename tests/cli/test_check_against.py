import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import StoreUnavailable
from clock.job import registry
from clock.store.ledger import timetable_changes
from clock.timetable import load

Command = Callable[..., Result]
JOBS = "from clock import Job\n\nclass SendCheckedJob(Job):\n    def perform(self, number, kind): ...\n"
FILE = """
from clock import every
every().day.at("06:00", "UTC").named("{name}").do(print)
"""


@pytest.fixture
def release(application: Path) -> Iterator[None]:
    """The checkout to be deployed: an event was renamed, a parameter added."""
    for folder in ("lib", "jobs_that_are_checked", "config"):
        (application / folder).mkdir()
    (application / "lib" / "clock.py").write_text(FILE.format(name="nightly.report"))
    (application / "jobs_that_are_checked" / "send.py").write_text(JOBS)
    (application / "config" / "clock.yml").write_text("require: jobs_that_are_checked\nqueues: [default]\n")
    yield
    for name in [name for name in sys.modules if name.startswith("jobs_that_are_checked")]:
        del sys.modules[name]
    if registry.knows("SendCheckedJob"):
        registry.forget(registry.lookup("SendCheckedJob"))


@pytest.fixture
def live(redis: Redis, application: Path) -> None:
    """The release that runs: its event, and a job of its code."""
    old = application / "old.py"
    old.write_text(FILE.format(name="report"))
    declarations = {event.name: event.declaration for event in load(old).events}
    timetable_changes.note(redis, "v1", "web1", declarations, {})
    redis.sadd("queues", "default")
    payload = {"class": "SendCheckedJob", "args": [41], "jid": "a1", "queue": "default"}
    redis.lpush("queue:default", json.dumps(payload))


def test_a_deploy_that_could_not_run_a_job_is_stopped_only_if_it_is_strict(
    release: None, live: None, clock: Command, redis_url: str
) -> None:
    lenient = clock("check", "--against", redis_url)
    strict = clock("check", "--against", redis_url, "--strict")
    found = json.loads(clock("check", "--against", redis_url, "--json").output)

    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    text = "queue default: error: 1 job of SendCheckedJob: perform(number, kind) cannot take 1 argument"
    assert text in strict.output
    assert "declare .named('nightly.report', was='report')" in strict.output
    [unfit] = [finding for finding in found if finding["rule"] == "arguments"]
    assert (unfit["count"], unfit["jids"]) == (1, ["a1"])


def test_the_report_keeps_arguments_secret(release: None, live: None, clock: Command, redis_url: str) -> None:
    assert "41" not in clock("check", "--against", redis_url).output.partition("queue default")[2]


def test_the_default_folder_of_jobs_may_be_missing(
    release: None, live: None, clock: Command, redis_url: str
) -> None:
    Path("config/clock.yml").unlink()

    found = json.loads(clock("check", "--against", redis_url, "--json").output)

    [missing] = [finding for finding in found if finding["rule"] == "require"]
    assert (missing["source"], missing["text"]) == (
        "jobs",
        "no such folder, so only jobs that lib/clock.py imports are known; name other folders: require",
    )
    Path("lib/clock.py").write_text(
        "from clock import every\nfrom jobs_that_are_checked.send import SendCheckedJob\n"
    )
    text = clock("check", "--against", redis_url).output
    assert "perform(number, kind) cannot take 1 argument" in text
    assert "no such folder" not in text


def test_a_redis_that_does_not_answer_and_strict_without_it_are_errors(release: None, clock: Command) -> None:
    with pytest.raises(StoreUnavailable):
        clock("check", "--against", "redis://127.0.0.1:1/0")

    assert "--strict needs --against" in clock("check", "--strict").output


def test_parked_jobs_and_payloads_that_are_no_jobs_are_checked_too(
    release: None, live: None, clock: Command, redis: Redis, redis_url: str
) -> None:
    redis.sadd("clock:parked", "SendCheckedJob")
    redis.lpush("clock:parked:SendCheckedJob", json.dumps({"class": "SendCheckedJob", "args": [], "jid": "p1"}))
    redis.lpush("queue:default", json.dumps({"class": "SendCheckedJob", "args": {}, "jid": "p2"}))

    found = json.loads(clock("check", "--against", redis_url, "--json").output)

    [odd] = [finding for finding in found if finding["rule"] == "payload"]
    assert "the payload is not a job" in odd["text"]
    assert odd["jids"] == ["p2"]
    assert ["p1"] in [finding["jids"] for finding in found if finding["source"] == "parked SendCheckedJob"]
