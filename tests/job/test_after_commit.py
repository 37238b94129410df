import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from clock import Job
from clock.errors import ConfigurationError, StoreError
from clock.job import registry
from clock.job.after_commit import django_commit, sqlalchemy_commit
from clock.job.payload import Payload
from clock.job.push.carriers import Batches
from clock.job.push.client import ToRedis
from clock.rehearsal.job_modes import Mode
from clock.store.ledger.held_pushes import holding
from clock.store.server import connection
from clock.testing import fake
from tests.job.django_here import transaction
from tests.job.redis_rows import delayed, waiting


class MailReceiptJob(Job):
    def perform(self, number: int) -> None: ...


class SendDjangoReceiptJob(MailReceiptJob):
    enqueue_after_commit = django_commit()


class Undo(Exception):
    pass


def pushed(redis: Redis) -> list[int]:
    return [row["args"][0] for row in waiting(redis)]


def push_within(number: int, *, undo: bool = False, using: str = "default") -> str:
    """Push in a transaction of Django's, and undo that."""
    try:
        with transaction.atomic(using=using):
            jid = SendDjangoReceiptJob.perform_async(number)
            if undo:
                raise Undo
    except Undo:
        pass
    return jid


def test_a_call_may_push_at_once_where_its_class_waits_for_the_commit(redis: Redis) -> None:
    with transaction.atomic():
        SendDjangoReceiptJob.set(enqueue_after_commit=None).perform_async(1)
        at_once = pushed(redis)

    assert at_once == [1]


def test_django_pushes_after_the_commit_and_returns_the_jid_at_once(redis: Redis) -> None:
    with transaction.atomic():
        jid = SendDjangoReceiptJob.perform_async(1)
        SendDjangoReceiptJob.perform_in(60, 2)
        SendDjangoReceiptJob.perform_bulk([[3], [4]])
        assert redis.keys("*") == []

    assert pushed(redis) == [1, 3, 4]
    assert waiting(redis)[0]["jid"] == jid
    assert len(delayed(redis)) == 1


def test_django_pushes_nothing_of_what_is_rolled_back(redis: Redis) -> None:
    push_within(1, undo=True)
    with transaction.atomic():
        push_within(2)
        push_within(3, undo=True)

    assert pushed(redis) == [2]


def test_django_pushes_at_once_outside_a_transaction_and_in_an_event_loop(redis: Redis) -> None:
    async def body() -> None:
        SendDjangoReceiptJob.perform_async(2)
        await SendDjangoReceiptJob.aperform_async(3)

    SendDjangoReceiptJob.perform_async(1)
    asyncio.run(body())

    assert pushed(redis) == [1, 2, 3]


def test_django_may_wait_for_another_database_than_the_default_one(redis: Redis) -> None:
    with transaction.atomic(using="other"):
        SendDjangoReceiptJob.perform_async(1)
        MailReceiptJob.set(enqueue_after_commit=django_commit("other")).perform_async(2)
        assert pushed(redis) == [1]

    assert pushed(redis) == [1, 2]


def test_a_subclass_may_be_pushed_at_once_again(redis: Redis) -> None:
    job: Any = type("SendReceiptAtOnceJob", (SendDjangoReceiptJob,), {"enqueue_after_commit": None})

    with transaction.atomic():
        job.perform_async(1)
        assert pushed(redis) == [1]

    registry.forget(job)


def test_djangos_own_on_commit_will_do(redis: Redis) -> None:
    with transaction.atomic():
        MailReceiptJob.set(enqueue_after_commit=transaction.on_commit).perform_async(1)
        assert redis.keys("*") == []

    assert pushed(redis) == [1]


def test_a_job_that_waits_for_a_commit_goes_into_the_firing_or_the_tests_collection(redis: Redis) -> None:
    with holding("nightly", 1000, 500) as held:
        push_within(1)
        push_within(2, undo=True)
    with fake():
        push_within(3)
        collected: Sequence[Payload] = SendDjangoReceiptJob.jobs

    assert redis.keys("*") == []
    assert len(held.pushes) == 1
    assert [payload["args"] for payload in collected] == [[3]]


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://")
    _let_savepoints_be(made)
    with made.begin() as begun:
        begun.execute(text("CREATE TABLE receipts (number INTEGER UNIQUE)"))
    yield made
    made.dispose()


def _let_savepoints_be(engine: Engine) -> None:
    """What SQLAlchemy's page on SQLite says of savepoints: the driver must not begin transactions by itself."""

    @event.listens_for(engine, "connect")
    def do_not_begin(link: Any, record: object) -> None:
        link.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(link: Any) -> None:
        link.exec_driver_sql("BEGIN")


def note(session: Session, number: int) -> None:
    session.execute(text("INSERT INTO receipts VALUES (:number)"), {"number": number})
    MailReceiptJob.set(enqueue_after_commit=sqlalchemy_commit(session)).perform_async(number)


def test_sqlalchemy_pushes_after_each_commit_of_a_session(redis: Redis, engine: Engine) -> None:
    with Session(engine) as session:
        note(session, 1)
        assert redis.keys("*") == []
        session.commit()
        assert pushed(redis) == [1]

        note(session, 2)
        note(session, 3)
        session.commit()

    assert pushed(redis) == [1, 2, 3]


def test_sqlalchemy_pushes_nothing_of_what_is_rolled_back_or_left(redis: Redis, engine: Engine) -> None:
    with Session(engine) as session:
        note(session, 1)
        session.rollback()
        note(session, 2)
    with Session(engine) as session, suppress(Undo), session.begin():
        note(session, 3)
        raise Undo
    with Session(engine) as session:
        note(session, 4)
        session.commit()

    assert pushed(redis) == [4]


def test_sqlalchemy_drops_what_was_pushed_in_a_savepoint_that_is_rolled_back(redis: Redis, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        note(session, 1)
        with session.begin_nested():
            note(session, 2)
            with suppress(Undo), session.begin_nested():
                note(session, 3)
                raise Undo
        with suppress(Undo), session.begin_nested():
            with session.begin_nested():
                note(session, 4)
            raise Undo
        note(session, 5)
        assert redis.keys("*") == []

    assert pushed(redis) == [1, 2, 5]


def test_sqlalchemy_pushes_at_once_where_no_transaction_is_open(redis: Redis, engine: Engine) -> None:
    with Session(engine) as session:
        MailReceiptJob.set(enqueue_after_commit=sqlalchemy_commit(session)).perform_async(1)

    assert pushed(redis) == [1]


def test_sqlalchemy_takes_the_registrys_current_session(redis: Redis, engine: Engine) -> None:
    registry = scoped_session(sessionmaker(engine))

    class SendScopedReceiptJob(MailReceiptJob):
        enqueue_after_commit = sqlalchemy_commit(registry)

    registry.execute(text("INSERT INTO receipts VALUES (1)"))
    SendScopedReceiptJob.perform_async(1)
    assert redis.keys("*") == []
    registry.commit()
    registry.remove()

    assert pushed(redis) == [1]


def test_sqlalchemys_asynchronous_sessions_are_waited_for(redis: Redis, tmp_path: Path) -> None:
    async def body() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/receipts.sqlite3")
        make: async_sessionmaker[AsyncSession] = async_sessionmaker(engine)
        async with make() as session:
            later = MailReceiptJob.set(enqueue_after_commit=sqlalchemy_commit(session))
            await session.execute(text("CREATE TABLE receipts (number INTEGER)"))
            await later.aperform_async(1)
            assert redis.keys("*") == []
            await session.commit()
            await session.execute(text("INSERT INTO receipts VALUES (2)"))
            await later.aperform_async(2)
            await session.rollback()
            await later.aperform_async(3)
        await engine.dispose()

    asyncio.run(body())

    assert pushed(redis) == [1, 3]


class NotesThread(ToRedis):
    def __init__(self) -> None:
        self.threads: list[int] = []

    def carry(self, batches: Batches) -> None:
        self.threads.append(threading.get_ident())
        super().carry(batches)


def test_an_awaited_commit_pushes_beside_the_event_loop(redis: Redis, tmp_path: Path) -> None:
    carrier = NotesThread()

    async def body() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/receipts.sqlite3")
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(text("SELECT 1"))
            later = MailReceiptJob.set(enqueue_after_commit=sqlalchemy_commit(session))
            await later.aperform_async(1)
            await later.aperform_bulk([[2], [3]])
        await engine.dispose()

    with Mode(carrier):
        asyncio.run(body())

    assert pushed(redis) == [1, 2, 3]
    assert len(carrier.threads) == 2
    assert threading.get_ident() not in carrier.threads


def test_a_session_is_of_use_after_a_push_that_failed(redis: Redis, redis_away: Redis, engine: Engine) -> None:
    with Session(engine) as session:
        note(session, 1)
        connection.set_default(redis_away)
        with pytest.raises(StoreError):
            session.commit()
        connection.set_default(redis)
        note(session, 2)
        session.commit()

        assert list(session.scalars(text("SELECT number FROM receipts"))) == [1, 2]
    assert pushed(redis) == [2]


def test_a_library_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", nothing)

    with pytest.raises(ConfigurationError, match="Django is not installed"):
        django_commit()
