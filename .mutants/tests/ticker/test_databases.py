"""Events from rows of real databases, by SQLAlchemy: SQLite, and PostgreSQL where it is installed."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
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
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    url: str = request.getfixturevalue(request.param)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
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
        timetable,
        ledger=RedisLedger(redis),
        clock=fake_clock,
        signature=Signature("a", "v1"),
        mode=ON_THE_LOOP,
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
