"""The form of a schedule made at run time: its fields as texts, and the fields that it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clock.timetable.periods import parse_period, period_words

SHOWN = ("job", "cron", "every", "rrule", "sun", "at", "tz", "until", "args", "queue")
#: The fields that the form has an input for, besides name, job and args.
INPUTS = ("cron", "every", "at", "tz", "until", "queue")
_KINDS = ("cron", "every", "rrule", "sun")


def as_texts(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a stored schedule as the form shows them."""
    every, at = stored.get("every", ""), stored.get("at") or ""
    texts = {
        "every": every if isinstance(every, str) else _words(every),
        "at": ", ".join(map(str, at)) if isinstance(at, (list, tuple)) else str(at),
        "args": json.dumps(stored.get("args", []), ensure_ascii=False),
    }
    return {**dict.fromkeys(SHOWN, ""), **stored, **texts}


def _words(every: object) -> str:
    try:
        return period_words(parse_period(every))
    except ValueError:  # another program wrote it
        return str(every)


def as_fields(texts: Mapping[str, str], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the texts of the inputs mean; a field without an input stays as it is stored.

    A text that was not edited gives the stored value, so it does not start the schedule again. A `cron` or an
    `every` replaces a stored `rrule` or `sun`.
    """
    shown = as_texts(stored)
    given = {
        name: stored[name] if name in stored and text == shown[name] else text
        for name, text in texts.items()
        if text
    }
    replaced = _KINDS if any(kind in given for kind in _KINDS) else ()
    kept = {name: value for name, value in stored.items() if name not in (*INPUTS, *replaced, "job", "args")}
    return {**kept, **given}
