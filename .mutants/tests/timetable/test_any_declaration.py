"""Whatever stands in a clock file, it is loaded, or refused with its line: no traceback, nothing lost silently."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clock.errors import ClockError
from clock.timetable import Timetable, load
from clock.timetable.explanation import explain
from tests.examples import examples

HEAD = "from datetime import *\nfrom clock import *\nfrom tests.timetable.jobs import *\n"
NOW = datetime(2026, 11, 24, 11, tzinfo=UTC)

#: What each word and each option takes, mostly.
ARGUMENTS: Mapping[str, list[str]] = {
    "at": ["'06:00'", "'6:00'", "['06:00', '18:00']", "'**:30'", "'9:**'", "':15'", "'30:15'", "'mon 16:20'"],
    "to": ["7", "9"],
    "until": ["'2026-11-26 12:00'", "'18:00'", "timedelta(hours=30)", "datetime(2027, 1, 1)", "time(18)"],
    "tag": ["'a'", "'a', 5"],
    "tags": ["['a', 5]"],
    "named": ["'some name'"],
    "if_": ["lambda due: True", "holidays"],
    "thread": ["", "True", "False"],
    "catch_up": ["'latest'", "'all', timedelta(hours=2)", "'skip'"],
    "catch_up_within": ["timedelta(hours=2)"],
    "overlap": ["'allow'", "'skip'", "'queue_one'"],
    "except_on": ["holidays", "'2026-11-25'", "[date(2026, 11, 25)], 'next'", "holidays, 'previous'", "'DE-BY'"],
    "otherwise": ["'next'", "'previous'"],
    "spread": ["timedelta(minutes=10)"],
    "jitter": ["timedelta(minutes=10)"],
    "dst": ["gap='skip'", "fold='both'", "gap='shift', fold='second'"],
    "gap": ["'skip'", "'shift'"],
    "fold": ["'first'", "'both'"],
    "describe": ["'Why.'"],
    "description": ["'Why.'"],
    "on": ["1", "31", "'last'", "'3rd monday', 15", "'last business day'"],
    "tz": ["'UTC'", "'Asia/Tokyo'", "timezone.utc"],
    "skip_first_run": ["True", "False"],
}
WORDS = [
    "at",
    "to",
    "until",
    "tag",
    "named",
    "if_",
    "thread",
    "catch_up",
    "overlap",
    "except_on",
    "spread",
    "jitter",
    "dst",
    "describe",
    "on",
]
OPTIONS = [
    "at",
    "tz",
    "if_",
    "thread",
    "skip_first_run",
    "catch_up",
    "catch_up_within",
    "overlap",
    "except_on",
    "otherwise",
    "spread",
    "jitter",
]
OPTIONS += ["gap", "fold", "until", "tags", "description"]
ODD = st.sampled_from(
    [
        *[
            "None",
            "True",
            "0",
            "1",
            "-1",
            "10**9",
            "1.5",
            "float('inf')",
            "''",
            "'x'",
            "'24:00'",
            "'Mars'",
            "[]",
            "[None]",
            "{}",
            "{1}",
            "print",
            "object()",
        ],
        *[
            "timedelta(0)",
            "timedelta(microseconds=1)",
            "timedelta.max",
            "datetime.max",
            "datetime.min",
            "DUE_AT",
            "'next'",
        ],
        *["SendLetterJob.set(queue='low')", "date.min", "lambda:1", "b'x'", "...", "1j", "range(3)", "int"],
    ]
)
UNITS = [
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "monday",
    "sunday",
    "weekday",
    "weekend",
    "month.on(1)",
    "month.on('last')",
]
MANY_UNITS = ["seconds", "minutes", "hours", "days", "weeks", "months.on(1)"]
CRONS = [
    "'*/5 9-17 * * mon-fri'",
    "'@daily'",
    "'0 0 29 2 *'",
    "'0 12 L * *'",
    "'0 6 * * 5L'",
    "'30 2 * * *', 'UTC'",
]


def argument(name: str) -> st.SearchStrategy[str]:
    return st.one_of(*[st.sampled_from(ARGUMENTS[name])] * 9, ODD)


calls = st.lists(
    st.sampled_from(WORDS).flatmap(lambda word: argument(word).map(lambda given: f".{word}({given})")), max_size=3
)
options = st.lists(
    st.sampled_from(OPTIONS).flatmap(
        lambda name: argument(name).map(lambda given: f", {name}={given.split(', ')[0] or True}")
    ),
    max_size=3,
    unique_by=lambda option: option.split("=")[0],
)
units = st.sampled_from([f"every().{unit}" for unit in UNITS] + [f"every(2).{unit}" for unit in MANY_UNITS])
fluent = st.builds(lambda unit, words: f"{unit}{''.join(words)}.do(act)", units, calls)
cron = st.builds(lambda when, words: f"cron({when}){''.join(words)}.do(act)", st.sampled_from(CRONS) | ODD, calls)
periods = st.sampled_from(["timedelta(days=1)", "timedelta(hours=1)", "60", "90000", "timedelta(weeks=2)"])
clockwork = st.builds(lambda period, given: f"every({period}, 'x'{''.join(given)})(act)", periods | ODD, options)


@pytest.fixture(scope="module")
def clock_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "clock.py"


def loaded(path: Path) -> Timetable | str:
    """The timetable, or the text of the error."""
    try:
        return load(path)
    except ClockError as error:
        return str(error)


@settings(max_examples=examples(300))
@given(line=fluent | cron | clockwork)
def test_a_declaration_is_an_event_or_an_error_with_its_line(clock_file: Path, line: str) -> None:
    clock_file.write_text(f"{HEAD}{line}\n")

    found = loaded(clock_file)

    if isinstance(found, str):
        assert found.startswith(f"{clock_file}:4: ")
        return
    [event] = found.events
    start = int(NOW.timestamp())
    dues = list(event.due_between(start, start + 2 * 86_400, anchor=NOW))
    following = event.next_after(NOW, anchor=NOW)
    assert dues == sorted(set(dues))
    assert following is None or (following > NOW and (not dues or int(following.timestamp()) == dues[0]))
    assert explain(event, NOW, anchor=NOW).count(": ") >= 1
    assert (NOW + timedelta(days=2) < following if following else True) or dues
