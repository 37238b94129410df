"""Loads `db/assignments.csv` into the database; due dates count from today, or from `--base YYYY-MM-DD`.

    python -m db.load

Sent reminders are kept: loading again on the same day sends nothing twice.
"""

from __future__ import annotations

import argparse
import csv
from datetime import date, datetime, timedelta
from pathlib import Path

from db.database import SCHOOL_ZONE, create_tables, database_path, transaction

CSV = Path(__file__).parent / "assignments.csv"


def load(file: Path, base: date) -> int:
    """Replace the assignments by those of `file`, due in so many days from `base`; how many there are."""
    create_tables()
    with file.open(newline="", encoding="utf-8") as lines, transaction() as connection:
        rows = [
            {**row, "due_on": (base + timedelta(days=int(row["due_in_days"]))).isoformat()}
            for row in csv.DictReader(lines)
        ]
        connection.execute("DELETE FROM assignments")
        connection.executemany(
            "INSERT INTO assignments (id, learner, email, lesson, due_on, completed, zone) "
            "VALUES (:id, :learner, :email, :lesson, :due_on, :completed, :zone)",
            rows,
        )
    return len(rows)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m db.load", description="Load the sample assignments.")
    parser.add_argument("--base", type=date.fromisoformat, default=datetime.now(SCHOOL_ZONE).date(), metavar="DAY")
    base = parser.parse_args().base
    print(f"{load(CSV, base)} assignments, due around {base}, loaded into {database_path()}")  # noqa: T201  # a command


if __name__ == "__main__":
    main()
