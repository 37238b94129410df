"""Text for a terminal or a log line: values from untrusted sources made safe, and long lists shortened."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Characters that are escaped: control characters (C0, DEL and C1, which start escape sequences), U+2028 and
#: U+2029, which end a line, characters that reorder or hide text (marks of direction, invisible characters, tags),
#: and surrogates, which no encoding has. Joiners stay, because scripts and emoji need them.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(value: object) -> str:
    r"""The text of a value as one line, with escapes for the characters above; None becomes "".

    >>> print(printable("done\x1b[2J\nforged"))
    done\x1b[2J\nforged
    """
    text = "" if value is None else str(value)
    if text.isprintable():  # the usual case
        return text
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened_list(items: Sequence[str], most: int = 10, *, between: str = ", ") -> str:
    """The first items, and the number of the others.

    >>> shortened_list(["a", "b", "c"], 2), shortened_list(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return between.join(items[:most]) + more
