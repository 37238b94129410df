"""Jobs that await a database by SQLAlchemy: on SQLite, and on PostgreSQL where it is installed."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from clock import Job, testing

pytestmark = [pytest.mark.slow, pytest.mark.process]  # PostgreSQL starts

READ = text("SELECT what FROM steps_of_this_test ORDER BY what")
FIRST = text("INSERT INTO steps_of_this_test VALUES ('first')")
SECOND = text("INSERT INTO steps_of_this_test VALUES ('second')")


class Place:
    """Where the steps are noted."""

    url: ClassVar[str]


class NoteStepsJob(Job):
    """Notes its two steps, unless the first is noted."""

    async def perform(self, commits_between: bool) -> None:
        engine = create_async_engine(Place.url, poolclass=NullPool)
        async with engine.connect() as db:
            if (await db.execute(READ)).first():
                return
            await db.execute(FIRST)
            if commits_between:
                await db.commit()
            await db.execute(SECOND)
            await db.commit()


@pytest.fixture(params=["sqlite+aiosqlite", "postgresql+psycopg_async"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    """A connection that the job does not use."""
    is_sqlite = request.param.startswith("sqlite")
    url = make_url(f"sqlite:///{tmp_path}/steps.db" if is_sqlite else request.getfixturevalue("postgresql"))
    Place.url = url.set(drivername=request.param).render_as_string(hide_password=False)
    engine = create_engine(url if is_sqlite else url.set(drivername="postgresql+psycopg"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("CREATE TABLE steps_of_this_test (what text)"))
        yield db
        db.execute(text("DROP TABLE steps_of_this_test"))
    engine.dispose()


def try_out(plain: Connection, *, commits_between: bool) -> list[str]:
    effects = testing.assert_idempotent(
        NoteStepsJob,
        commits_between,
        snapshot=lambda: list(plain.execute(READ).scalars()),
        fresh=lambda: plain.execute(text("DELETE FROM steps_of_this_test")),
    )
    return [effect.what.split()[0] for effect in effects]


def test_a_hole_between_two_awaited_commits_is_found_and_named_by_its_lines(plain: Connection) -> None:
    with pytest.raises(AssertionError, match=r"unsafe between .*test_idempotency_sqlalchemy\.py:\d+ \(.*commit"):
        try_out(plain, commits_between=True)


def test_one_awaited_transaction_is_not_accused(plain: Connection) -> None:
    assert try_out(plain, commits_between=False) == ["INSERT", "INSERT", "do_commit"]
