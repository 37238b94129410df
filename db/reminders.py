"""Which reminders there are, and which of them have been sent."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta

from db.database import SCHOOL_ZONE, transaction

#: kind -> how many days before the due date it is sent; a negative number is after it.
KINDS = {"due_in_a_week": 7, "due_tomorrow": 1, "a_day_overdue": -1, "a_week_overdue": -7}


class ReminderInProgress(Exception):
    """Another job is sending this reminder at the moment; a retry will see what became of it."""


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


def open_assignment(assignment_id: int) -> sqlite3.Row | None:
    """The assignment, unless it is completed or deleted."""
    with transaction() as connection:
        row: sqlite3.Row | None = connection.execute(
            "SELECT * FROM assignments WHERE id = ? AND completed = 0", [assignment_id]
        ).fetchone()
    return row


def day_of(assignment: sqlite3.Row, kind: str) -> str:
    """The day of which the reminder is: it does not depend on when the job runs, so a late retry is the same."""
    return (date.fromisoformat(assignment["due_on"]) - timedelta(days=KINDS[kind])).isoformat()


def begin(assignment_id: int, kind: str, day: str, jid: str) -> bool:
    """Note that job `jid` is about to send the reminder; False: it has been sent already.

    The same job may begin again: its worker died. Raises ReminderInProgress where another job has begun.
    """
    with transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO reminders (assignment_id, kind, day, jid) VALUES (?, ?, ?, ?)",
            [assignment_id, kind, day, jid],
        )
        row = connection.execute(
            "SELECT jid, sent_at FROM reminders WHERE assignment_id = ? AND kind = ? AND day = ?",
            [assignment_id, kind, day],
        ).fetchone()
    if row["sent_at"] is not None:
        return False
    if row["jid"] != jid:
        raise ReminderInProgress(f"job {row['jid']} is sending {kind} of assignment {assignment_id}")
    return True


def note_sent(assignment_id: int, kind: str, day: str) -> None:
    """Note that the reminder has been sent."""
    with transaction() as connection:
        connection.execute(
            "UPDATE reminders SET sent_at = ? WHERE assignment_id = ? AND kind = ? AND day = ?",
            [datetime.now(UTC).isoformat(), assignment_id, kind, day],
        )


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
