"""Cron expressions of Ruby's schedulers: sidekiq-cron and sidekiq-scheduler read them by the fugit gem.

fugit differs from Debian cron in two rules. If both day fields are restricted, either may match, even if one
starts with a star (`0 0 */2 * 1-5`). A weekday with a step (`3/2`) is that weekday alone.
"""

from __future__ import annotations

import re

from clock.timetable.triggers.cron import WORDS

_EVERY_DAY = ("*", "*/1", "/1", "1-31")


def as_debians(expression: str) -> str:
    """An expression by Debian cron's rules with the same due instants as fugit's.

    >>> as_debians("0 0 */2 * 1-5"), as_debians("0 0 * * 1-5")
    ('0 0 1-31/2 * 1-5', '0 0 * * 1-5')
    """
    fields = WORDS.get(expression.lower(), expression).split()
    if len(fields) not in (5, 6):
        return expression
    day, weekday = fields[-3], ",".join(re.sub(r"^(\w+)/\d+$", r"\1", term) for term in fields[-1].split(","))
    if day in _EVERY_DAY:
        day = "*"
    elif weekday != "*":
        day, weekday = re.sub(r"^\*?/", "1-31/", day), re.sub(r"^\*?/", "0-6/", weekday)
    fields[-3], fields[-1] = day, weekday
    return expression if expression.startswith("@") else " ".join(fields)
