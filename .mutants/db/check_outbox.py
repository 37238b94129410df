"""Checks that each reminder that is due has been sent, and none twice: the table against the outbox.

python -m db.check_outbox
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime

from db.database import transaction
from db.reminders import due_reminders
from jobs.delivery import outbox


def main() -> int:
    """The command; 0 if all is well."""
    due = len(due_reminders(datetime.now(UTC)))
    with transaction() as connection:
        sent = connection.execute("SELECT count(*) FROM reminders").fetchone()[0]
    mails = Counter(message["Message-ID"] for message in outbox())
    twice = sum(count - 1 for count in mails.values())
    print(f"{due} reminders due, {sent} in the table, {len(mails)} in the outbox, {twice} twice")  # noqa: T201  # a command
    return 0 if due == sent == len(mails) and twice == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
