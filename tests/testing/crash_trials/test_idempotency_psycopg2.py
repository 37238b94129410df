"""Jobs that call psycopg2 themselves, against a real PostgreSQL: statements and commits are seen."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import psycopg2
import pytest
from psycopg2 import connect
from psycopg2.extras import DictCursor
from psycopg2.sql import SQL, Identifier

from clock import Job, testing

pytestmark = [pytest.mark.slow, pytest.mark.process]  # PostgreSQL starts

FIRST = "INSERT INTO notes_of_this_test VALUES ('first')"
SECOND = SQL("INSERT INTO {} VALUES ('second')").format(Identifier("notes_of_this_test"))
READ = "SELECT what FROM notes_of_this_test ORDER BY what"


class Place:
    """Where the notes are."""

    url: ClassVar[str]


def run(statement: str) -> list[str]:
    with closing(psycopg2.connect(Place.url)) as db, db, db.cursor() as cursor:
        cursor.execute(statement)
        return [str(row[0]) for row in cursor.fetchall()] if statement == READ else []


@pytest.fixture(scope="module", autouse=True)
def notes(postgresql: str) -> Iterator[None]:
    Place.url = f"{postgresql}&options=-c%20lock_timeout%3D5s"  # a lock that a run has left behind is an error
    run("CREATE TABLE notes_of_this_test (what text)")
    yield
    run("DROP TABLE notes_of_this_test")


class NoteTwiceJob(Job):
    def perform(self, commits_between: bool) -> None:
        with closing(connect(Place.url, cursor_factory=DictCursor)) as db, db, db.cursor() as cursor:
            cursor.execute(READ)
            rows: list[Any] = cursor.fetchall()  # the cursor is still the one that was asked for
            if [row["what"] for row in rows]:
                return
            cursor.execute(FIRST)
            if commits_between:
                db.commit()
            cursor.execute(SECOND)


def try_out(*, commits_between: bool) -> list[str]:
    effects = testing.assert_idempotent(
        NoteTwiceJob,
        commits_between,
        snapshot=lambda: run(READ),
        fresh=lambda: run("DELETE FROM notes_of_this_test"),
    )
    return [effect.what.split()[0] for effect in effects]


def test_a_hole_between_two_commits_of_psycopg2_is_found() -> None:
    with pytest.raises(AssertionError, match=r"unsafe between .*test_idempotency_psycopg2\.py:\d+ \(.*COMMIT"):
        try_out(commits_between=True)


def test_one_transaction_of_psycopg2_is_not_accused() -> None:
    assert try_out(commits_between=False) == ["INSERT", "INSERT", "COMMIT"]


class NoteManyJob(Job):
    def perform(self) -> None:
        with closing(connect(Place.url)) as db, db.cursor() as cursor:
            cursor.callproc("set_config", ["application_name", "trial", False])
            cursor.execute("DELETE FROM notes_of_this_test")
            cursor.executemany("INSERT INTO notes_of_this_test VALUES (%s)", [["a"], ["b"]])
            db.commit()
            db.commit()


def test_statements_for_many_rows_and_procedures_of_psycopg2_are_effects_and_an_empty_commit_is_not() -> None:
    effects = testing.assert_idempotent(
        NoteManyJob, snapshot=lambda: run(READ), fresh=lambda: run("DELETE FROM notes_of_this_test")
    )

    assert [effect.what.split()[0] for effect in effects] == ["CALL", "DELETE", "INSERT", "COMMIT"]
