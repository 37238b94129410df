"""The guides for those who come from another library of jobs: their code runs, in order, as it stands."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from redis import Redis

import clock
from clock import Job, api
from clock.errors import JobError
from clock.job import registry
from clock.timetable import load
from clock.timetable.explanation import explain

DOCS = Path(__file__).parent.parent / "docs"

#: guide -> (how many jobs its code pushes, how many events its clock file has)
GUIDES = {
    "from-celery": (8, 0),
    "from-rq": (6, 2),
    "from-huey": (3, 2),
    "from-dramatiq": (4, 1),
    "from-apscheduler": (0, 5),
}


@pytest.fixture
def modules() -> Iterator[dict[str, ModuleType]]:
    """Modules that a guide may import; the guides' jobs are forgotten afterwards."""
    known, kept = (
        dict(registry._classes),
        {name: sys.modules.pop(name) for name in list(sys.modules) if is_jobs(name)},
    )
    registry._classes.clear()
    mail = ModuleType("jobs.send_mail_job")

    class SendMailJob(Job):
        def perform(self, template: str) -> None: ...

    vars(mail)["SendMailJob"] = SendMailJob
    made = {"jobs": ModuleType("jobs"), "jobs.send_mail_job": mail}
    sys.modules.update(made)
    yield made
    for name in [name for name in sys.modules if is_jobs(name)]:
        del sys.modules[name]
    sys.modules.update(kept)
    registry._classes.clear()
    registry._classes.update(known)


def is_jobs(name: str) -> bool:
    return name.partition(".")[0] == "jobs"


def pushed(redis: Redis) -> int:
    return sum(redis.llen(key) for key in redis.keys("queue:*")) + redis.zcard("schedule")


@pytest.mark.parametrize("guide", GUIDES)
def test_the_code_of_a_guide_runs(
    guide: str, redis: Redis, tmp_path: Path, modules: dict[str, ModuleType]
) -> None:
    events = 0
    for code in re.findall(r"```python\n(.*?)```", (DOCS / f"{guide}.md").read_text(), re.DOTALL):
        named = re.match(r"# (jobs/(\w+)|lib/clock)\.py\n", code)
        if named and named[1] == "lib/clock":
            (tmp_path / "clock.py").write_text(code)
            timetable = load(tmp_path / "clock.py")
            assert all(explain(event) for event in timetable.events)
            events += len(timetable.events)
        else:
            module = ModuleType(f"jobs.{named[2]}" if named else guide)
            sys.modules[module.__name__] = module
            exec(code, vars(module))  # noqa: S102  # our own guide

    assert (pushed(redis), events) == GUIDES[guide]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_names_that_a_guide_uses_are_there(guide: str) -> None:
    text = (DOCS / f"{guide}.md").read_text()
    decorators = set(re.findall(r"`@(on|job|repeat|worker_error_handler|death_handler|error_handler)\b", text))

    assert [name for name in decorators if not hasattr(clock, name)] == []
    assert "JobRef" not in text or hasattr(api, "JobRef")


def test_celerys_import_is_the_only_line_that_changes(redis: Redis, modules: dict[str, ModuleType]) -> None:
    code = "@shared_task(bind=True, name='orders.note')\ndef note(self, order_id):\n    return self.attempt\n"
    names: dict[str, object] = {"__name__": "app.tasks"}

    exec("from clock.contrib.celery_names import shared_task\n" + code, names)  # noqa: S102  # the test's own

    assert registry.lookup("orders.note").perform_inline(7) == 1  # type: ignore[attr-defined]
    with pytest.raises(JobError):
        exec(code.replace("bind=True", "rate_limit='1/s'"), names)  # noqa: S102  # the test's own
