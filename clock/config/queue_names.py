"""Valid names of queues: one rule for options, settings, pushes, and payloads of other programs."""

from __future__ import annotations

from clock.printable import is_printable

EXPECTED = "a name that is not empty, without line breaks and other control characters"


def queue_name(value: object) -> str | None:
    """The name without surrounding blanks, as workers use it; None if it is invalid.

    A worker separates a job's queue from its payload by a line break, so a name must not contain one.

    >>> queue_name(" lead"), queue_name("two\\nlines"), queue_name(" ")
    ('lead', None, None)
    """
    if not isinstance(value, str):
        return None
    name = str.strip(value)
    return name if name and is_printable(name) else None
