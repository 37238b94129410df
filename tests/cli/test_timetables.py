"""A command that looks at a clock file does not do what the file does while it is loaded."""

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
