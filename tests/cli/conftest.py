import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from clock.cli.app import cli
from tests.worker.conftest import bench as bench
from tests.worker.conftest import fake_clock as fake_clock


@pytest.fixture(autouse=True)
def _own_log(log_as_before: None) -> None:
    """A command sets the log up for its process."""


@pytest.fixture(autouse=True)
def _imports_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command makes its application's modules importable for its process; here it is not for the next test."""
    monkeypatch.setattr(sys, "path", sys.path[:])


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands are run."""
    monkeypatch.chdir(tmp_path)
    for name in ("CLOCK_ENV", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def clock(
    redis: Redis, redis_url: str, application: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run a command in the application, on an empty Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)

    def run(*words: str, answer: str = "", columns: int | None = None) -> Result:
        env = {"COLUMNS": str(columns)} if columns else {}
        result = CliRunner().invoke(cli, words, input=answer, env=env)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
