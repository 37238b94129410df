"""Events from rows of real databases, by SQLAlchemy: SQLite, and PostgreSQL where it is installed."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from clock.store.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import Timetable
from tests.ticker import jobs

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
SOURCE = """
from clock import sync_events
from tests.ticker.jobs import load_rows
sync_events(load_rows, every=timedelta(minutes=1), do=FetchNewsJob)
"""


class Base(DeclarativeBase):
    pass


class Report(Base):
    """What users edit on a web page."""

    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    frequency: Mapped[int | None]
    cron: Mapped[str | None]
    at: Mapped[str | None]
    tz: Mapped[str | None]


@pytest.fixture
def sqlite() -> str:
    return "sqlite://"


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A PostgreSQL of the test's own, which root may not run."""
    initdb = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None) or shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    programs = Path(initdb).parent
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="clock-postgresql-", dir="/tmp"))  # its owner needs a short path
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")
    environ = {**os.environ, "LC_ALL": "C"}
    subprocess.run(
        [programs / "initdb", "--auth=trust", "--encoding=UTF8", "--username=clock", "--no-sync", data],
        user=user,
        env=environ,
        cwd="/",
        check=True,
        capture_output=True,
    )
    options = f"-k {folder} -h '' -F"
    control = [str(programs / "pg_ctl"), "--pgdata", data, "--wait"]
    log = str(folder / "log")
    subprocess.run(
        [*control, "--log", log, "-o", options, "start"],
        user=user,
        env=environ,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield f"postgresql+psycopg://clock@/postgres?host={folder}"
    subprocess.run(
        [*control, "--mode=immediate", "stop"], user=user, cwd="/", check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(folder)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = create_engine(request.getfixturevalue(request.param))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_rows_fire_change_and_go(
    engine: Engine,
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load() -> list[Any]:
        with Session(engine) as session:
            return list(session.scalars(select(Report).order_by(Report.id)))

    monkeypatch.setattr(jobs, "find_rows", load)
    with Session(engine) as session:
        session.add(Report(id=1, name="weekly", cron="5 6 * * tue", tz="UTC"))
        session.add(Report(id=2, name="hourly", frequency=3600, at="**:10"))
        session.add(Report(id=3, name="bad", frequency=3600, at="32:00"))
        session.commit()
    timetable = declare(SOURCE)
    ticker = Ticker(
        timetable, ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("a", "v1"), use_threads=False
    )

    def run_until(end: datetime) -> None:
        while fake_clock.now() < end:
            fake_clock.advance(timedelta(seconds=30))
            ticker.tick()

    ticker.tick()
    run_until(SIX + timedelta(minutes=20))
    with Session(engine) as session:
        report = session.get_one(Report, 2)
        report.at = "**:40"
        session.delete(session.get_one(Report, 1))
        session.commit()
    run_until(SIX + timedelta(hours=2))

    found: Any = redis.lrange("queue:default", 0, -1)
    firings = [json.loads(row) for row in reversed(found)]
    assert [payload["args"] for payload in firings[:2]] == [[1], [2]]
    instants = [datetime.fromtimestamp(payload["clock"]["due"] / 1000, UTC) for payload in firings]
    assert [f"{instant:%H:%M}" for instant in instants[:4]] == ["06:05", "06:10", "06:40", "07:40"]
    assert {payload["args"][0] for payload in firings[2:]} == {2}
