"""A command that looks at a clock file does not do what the file does while it is loaded."""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import DeclarationError

SLIP = """
from clock import Job, every

class GreetAtStartJob(Job):
    def perform(self, name): ...

every().day.at("06:00").do(print).named("daily")
{pushes}
"""


@pytest.mark.parametrize(
    "pushes",
    ["GreetAtStartJob.perform_async('ada')", "every().day.at('07:00').do(GreetAtStartJob.perform_async('ada'))"],
)
@pytest.mark.parametrize("command", ["check", "list", "preview", "explain lib/clock.py", "fire daily"])
def test_jobs_that_a_file_pushes_while_it_is_loaded_are_dropped(
    clock: Callable[..., Result], application: Path, redis: Redis, command: str, pushes: str
) -> None:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(SLIP.format(pushes=pushes))

    with suppress(DeclarationError):  # do() refuses what a call has returned
        clock(*command.split())

    assert redis.llen("queue:default") == 0


@pytest.mark.parametrize(
    "command",
    [
        "check --against {url}",
        "list",
        "forecast --slots 1",
        'schedules put other --every 1h --job GreetAtStartJob --args ["ada"] --dry-run',
    ],
)
def test_jobs_that_modules_of_jobs_push_while_they_are_imported_are_dropped(
    clock: Callable[..., Result], application: Path, redis: Redis, redis_url: str, command: str
) -> None:
    folder = "pushing_" + command.split()[0]
    for name in ("lib", "config", folder):
        (application / name).mkdir()
    (application / "lib" / "clock.py").write_text(SLIP.format(pushes=""))
    stored = ("schedules", "put", "nightly", "--every", "1h", "--job", "GreetAtStartJob", "--args", '["ada"]')
    assert clock(*stored).exit_code == 0
    (application / "config" / "clock.yml").write_text(f"require: {folder}\n")
    (application / folder / "slip.py").write_text(
        "from clock.job.registry import lookup\nlookup('GreetAtStartJob').perform_async('ada')\n"
    )

    clock(*command.format(url=redis_url).split())

    assert f"{folder}.slip" in sys.modules
    assert redis.llen("queue:default") == 0
