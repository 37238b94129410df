"""Jobs that write by Django: its statements and commits are seen, on connections that were there before."""

from collections.abc import Iterator

import pytest

from clock import Job, testing
from tests.job.django_here import transaction

pytestmark = pytest.mark.slow


class PayTwiceByDjangoJob(Job):
    """Takes from one account, and gives to the other."""

    def perform(self, amount: int) -> None:
        change("ada", -amount)
        change("bob", amount)


class PayAtOnceByDjangoJob(Job):
    """The same, and notes that it has, in one transaction."""

    def perform(self, amount: int) -> None:
        with transaction.atomic():
            if ("paid", 1) not in balances():
                change("ada", -amount)
                change("bob", amount)
                change("paid", 1)


def run(statement: str, *values: object) -> list[tuple[object, ...]]:
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if statement.startswith("SELECT") else []


def change(name: str, by: int) -> None:
    run("UPDATE account_of_this_test SET balance = balance + %s WHERE name = %s", by, name)


def balances() -> list[tuple[object, ...]]:
    return run("SELECT name, balance FROM account_of_this_test ORDER BY name")


def fresh() -> None:
    run("UPDATE account_of_this_test SET balance = 0")


@pytest.fixture(autouse=True)
def accounts() -> Iterator[None]:
    run("CREATE TABLE account_of_this_test (name text, balance integer)")
    for name in ("ada", "bob", "paid"):
        run("INSERT INTO account_of_this_test VALUES (%s, 0)", name)
    yield
    run("DROP TABLE account_of_this_test")


def test_a_hole_between_two_statements_of_django_is_found() -> None:
    with pytest.raises(AssertionError, match=r"unsafe between .*\(database: UPDATE account"):
        testing.assert_idempotent(PayTwiceByDjangoJob, 5, snapshot=balances, fresh=fresh)


def test_one_transaction_of_django_is_not_accused() -> None:
    effects = testing.assert_idempotent(PayAtOnceByDjangoJob, 5, snapshot=balances, fresh=fresh)

    assert [effect.what.split()[0] for effect in effects] == ["UPDATE", "UPDATE", "UPDATE", "COMMIT"]
    assert balances() == [("ada", -5), ("bob", 5), ("paid", 1)]
