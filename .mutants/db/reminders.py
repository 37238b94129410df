"""Which reminders there are, and which of them have been sent."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta

from db.database import SCHOOL_ZONE, transaction

#: kind -> how many days before the due date it is sent; a negative number is after it.
KINDS = {"due_in_a_week": 7, "due_tomorrow": 1, "a_day_overdue": -1, "a_week_overdue": -7}


def due_reminders(instant: datetime) -> list[tuple[int, str]]:
    """The (assignment, kind) of which reminders are to be sent on the school's day of `instant`."""
    today = instant.astimezone(SCHOOL_ZONE).date()
    found: list[tuple[int, str]] = []
    with transaction() as connection:
        for kind, days in KINDS.items():
            rows = connection.execute(
                "SELECT id FROM assignments WHERE completed = 0 AND due_on = ? ORDER BY id",
                [(today + timedelta(days=days)).isoformat()],
            )
            found += [(row["id"], kind) for row in rows]
    return found


def open_assignment(connection: sqlite3.Connection, assignment_id: int) -> sqlite3.Row | None:
    """The assignment, unless it is completed or deleted."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM assignments WHERE id = ? AND completed = 0", [assignment_id]
    ).fetchone()
    return row


def day_of(assignment: sqlite3.Row, kind: str) -> str:
    """The day of which the reminder is: it does not depend on when the job runs, so a late retry is the same."""
    return (date.fromisoformat(assignment["due_on"]) - timedelta(days=KINDS[kind])).isoformat()


def note(connection: sqlite3.Connection, assignment_id: int, kind: str, day: str) -> bool:
    """Note that the reminder is sent, as of the end of the transaction; False: it had been sent before."""
    cursor = connection.execute(
        "INSERT OR IGNORE INTO reminders (assignment_id, kind, day, sent_at) VALUES (?, ?, ?, ?)",
        [assignment_id, kind, day, datetime.now(UTC).isoformat()],
    )
    return cursor.rowcount == 1


def delete_older_than(days: int) -> int:
    """Delete what is known of reminders of more than so many days ago; how many there were."""
    limit = datetime.now(SCHOOL_ZONE).date() - timedelta(days=days)
    with transaction() as connection:
        return connection.execute("DELETE FROM reminders WHERE day < ?", [limit.isoformat()]).rowcount


def count_open() -> int:
    """How many assignments are not completed."""
    with transaction() as connection:
        count: int = connection.execute("SELECT count(*) FROM assignments WHERE completed = 0").fetchone()[0]
    return count
