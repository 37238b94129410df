"""Jobs that call psycopg themselves, against a real PostgreSQL: statements and commits are seen, also awaited."""

from collections.abc import Iterator
from typing import ClassVar

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from clock import Job, testing

pytestmark = [pytest.mark.slow, pytest.mark.process]  # PostgreSQL starts

ADD = "UPDATE account_of_this_test SET balance = balance + %s WHERE name = %s"
TABLE = Identifier("account_of_this_test")
NOTE = "INSERT INTO account_of_this_test VALUES ('noted', 1) ON CONFLICT DO NOTHING"
READ = "SELECT name, balance FROM account_of_this_test ORDER BY name"


class Bank:
    """Where the accounts are, and a connection that is older than every run."""

    url: ClassVar[str]
    open: ClassVar[psycopg.Connection]


@pytest.fixture(scope="module", autouse=True)
def accounts(postgresql: str) -> Iterator[None]:
    Bank.url = f"{postgresql}&options=-c%20lock_timeout%3D5s"  # a lock that a run has left behind is an error
    with psycopg.connect(Bank.url) as Bank.open:
        Bank.open.execute("CREATE TABLE account_of_this_test (name text PRIMARY KEY, balance integer)")
        Bank.open.commit()
        yield
        Bank.open.rollback()
        Bank.open.execute("DROP TABLE account_of_this_test")


def fresh() -> None:
    with psycopg.connect(Bank.url) as db:
        db.execute("DELETE FROM account_of_this_test")
        db.execute("INSERT INTO account_of_this_test VALUES ('ada', 0), ('bob', 0)")


def balances() -> object:
    with psycopg.connect(Bank.url) as db:
        return db.execute(READ).fetchall()


def is_noted(rows: list[tuple[object, ...]]) -> bool:
    return ("noted", 1) in rows


class PayInTwoTransactionsJob(Job):
    def perform(self) -> None:
        with psycopg.connect(Bank.url) as db:
            if is_noted(db.execute(READ).fetchall()):
                return
            db.execute(ADD, (-5, "ada"))
            db.commit()
            db.execute(ADD, (5, "bob"))
            db.execute(NOTE)


class PayWithoutNoteJob(Job):
    def perform(self) -> None:
        with psycopg.connect(Bank.url) as db, db.cursor() as cursor:
            cursor.executemany(ADD, [(-5, "ada"), (5, "bob")])


class PayByOpenConnectionInTwoTransactionsJob(Job):
    def perform(self) -> None:
        with Bank.open.transaction():
            if is_noted(Bank.open.execute(READ).fetchall()):
                return
            Bank.open.execute(ADD, (-5, "ada"))
        with Bank.open.transaction():
            Bank.open.execute(ADD, (5, "bob"))
            Bank.open.execute(NOTE)


class PayAwaitedInTwoTransactionsJob(Job):
    async def perform(self) -> None:
        async with await psycopg.AsyncConnection.connect(Bank.url) as db:
            if is_noted(await (await db.execute(READ)).fetchall()):
                return
            await db.execute(ADD, (-5, "ada"))
            await db.commit()
            await db.execute(ADD, (5, "bob"))
            await db.execute(NOTE)


class PayAtOnceJob(Job):
    def perform(self) -> None:
        db = psycopg.connect(Bank.url)
        if not is_noted(db.execute(READ).fetchall()):
            db.execute(SQL("UPDATE {} SET balance = -5 WHERE name = 'ada'").format(TABLE))
            db.execute(ADD.encode(), (5, "bob"))
            db.execute(NOTE)
            db.commit()
        db.commit()  # nothing is open after the first one
        db.close()


class PayAtOnceByOpenConnectionJob(Job):
    def perform(self) -> None:
        if not is_noted(Bank.open.execute(READ).fetchall()):
            Bank.open.execute(ADD, (-5, "ada"))
            with Bank.open.transaction():
                Bank.open.execute(ADD, (5, "bob"))
                Bank.open.execute(NOTE)
        Bank.open.commit()


class PayAtOnceAwaitedJob(Job):
    async def perform(self) -> None:
        async with await psycopg.AsyncConnection.connect(Bank.url, autocommit=True) as db, db.transaction():
            if not is_noted(await (await db.execute(READ)).fetchall()):
                await db.execute(ADD, (-5, "ada"))
                await db.execute(ADD, (5, "bob"))
                await db.execute(NOTE)


@pytest.mark.parametrize(
    "job",
    [
        PayInTwoTransactionsJob,
        PayWithoutNoteJob,
        PayByOpenConnectionInTwoTransactionsJob,
        PayAwaitedInTwoTransactionsJob,
    ],
)
def test_a_hole_between_two_statements_of_psycopg_is_found(job: type[Job]) -> None:
    with pytest.raises(AssertionError, match=r"is unsafe .*test_idempotency_psycopg\.py:\d+ \(database: COMMIT\)"):
        testing.assert_idempotent(job, snapshot=balances, fresh=fresh)


@pytest.mark.parametrize("job", [PayAtOnceJob, PayAtOnceByOpenConnectionJob, PayAtOnceAwaitedJob])
def test_one_transaction_of_psycopg_is_not_accused(job: type[Job]) -> None:
    effects = testing.assert_idempotent(job, snapshot=balances, fresh=fresh)

    assert [effect.what.split()[0] for effect in effects] == ["UPDATE", "UPDATE", "INSERT", "COMMIT"]
    assert balances() == [("ada", -5), ("bob", 5), ("noted", 1)]
