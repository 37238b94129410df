"""Text for people: values from untrusted sources made safe, long lists shortened, lengths of time in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from difflib import get_close_matches

#: Characters that are escaped: control characters (C0, DEL and C1, which start escape sequences), U+2028 and
#: U+2029, which end a line, characters that reorder or hide text (marks of direction, invisible characters, tags),
#: and surrogates, which no encoding has. Joiners stay, because scripts and emoji need them.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)

_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
_EXACT_SECONDS = 600


def printable(value: object) -> str:
    r"""The text of a value as one line, with escapes for the characters above; None becomes "".

    >>> print(printable("done\x1b[2J\nforged"))
    done\x1b[2J\nforged
    """
    text = "" if value is None else str(value)
    if text.isprintable():  # the usual case
        return text
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def is_printable(text: str) -> bool:
    r"""Whether `printable` shows the text as it is. Unlike `str.isprintable`, it accepts joiners and wide spaces.

    >>> is_printable("日次\u3000メール"), is_printable("two\nlines")
    (True, False)
    """
    return text.isprintable() or not UNPRINTABLE.search(text)


def brief(value: object, most: int = 80) -> str:
    """The start of a value's `repr`, for a message; its type if it has no `repr`, as a number of 5,000 digits.

    >>> brief("mails"), brief(10**5000)
    ("'mails'", '<int>')
    """
    try:
        return f"{value!r:.{most}}"
    except Exception:  # noqa: BLE001  # the value is the user's object: its repr may raise anything
        return f"<{type(value).__name__}>"


def is_utf8(value: object) -> bool:
    r"""Whether a value is a text that UTF-8 and so Redis can hold. It cannot hold surrogates.

    >>> is_utf8("mails"), is_utf8("a\udcff"), is_utf8(None)
    (True, False, False)
    """
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def as_json_value(value: object) -> str:
    """The form in JSON of a value that JSON lacks: an instant as in RFC 3339, others as text. For `json.dumps`.

    >>> as_json_value(datetime.fromisoformat("2026-11-29 13:02:00+00:00")), as_json_value(1j)
    ('2026-11-29T13:02:00+00:00', '1j')
    """
    return value.isoformat() if isinstance(value, datetime) else str(value)


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "job"), counted(1000, "job")
    ('1 job', '1,000 jobs')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def closest(name: str, known: Iterable[str], otherwise: str, *, before: str = "") -> str:
    """The end of a message about an unknown name: `before` and the closest known name, or `otherwise`.

    >>> closest("quue", ["queue", "retry"], "see --help"), closest("x", ["queue"], "see --help")
    ("did you mean 'queue'?", 'see --help')
    """
    near = get_close_matches(name, list(known), 1)
    return f"{before}did you mean {near[0]!r}?" if near else otherwise


def shortened_list(items: Sequence[str], most: int = 10, *, between: str = ", ") -> str:
    """The first items, and the number of the others.

    >>> shortened_list(["a", "b", "c"], 2), shortened_list(["a", "b"], 2)
    ('a, b and 1 more', 'a, b')
    """
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return between.join(items[:most]) + more


def local_time(at: datetime, zone: tzinfo | None) -> str:
    """An instant for people; without a zone, in that of the machine.

    >>> from datetime import UTC
    >>> local_time(datetime.fromisoformat("2026-11-29 15:02:00+02:00"), UTC)
    '2026-11-29 13:02:00 UTC'
    """
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def duration(seconds: float) -> str:
    """A length of time in its two largest units, without the seconds from ten minutes on.

    >>> duration(0.0042), duration(2.54), duration(75), duration(4000), duration(90_000)
    ('4 ms', '2.5 s', '1 min 15 s', '1 h 6 min', '1 d 1 h')
    """
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2g} s"
    size, name, part, part_name = next(unit for unit in _UNITS if seconds >= unit[0])
    rest = int(seconds % size // part)
    is_exact = rest and (part > 1 or seconds < _EXACT_SECONDS)
    return f"{int(seconds // size):,} {name}" + (f" {rest} {part_name}" if is_exact else "")
