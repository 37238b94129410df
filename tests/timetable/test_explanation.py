from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from clock.timetable import Event, Timetable
from clock.timetable.explanation import explain, schedule_words

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=ZoneInfo("Europe/Berlin"))
IN = " in Europe/Berlin: act, catches up for 1 h"

SENTENCES = [
    # the fluent form
    ("every().second.do(act)", "Every second: act, catches up for 1 h"),
    ("every(10).minutes.do(act, 'news')", "Every 10 minutes: act('news'), catches up for 1 h"),
    ("every(5).to(10).minutes.do(act)", "Every 5 to 10 minutes: act, catches up for 1 h"),
    ("every().minute.at(':15').do(act)", "Every minute at second 15: act, catches up for 1 h"),
    ("every().hour.at([':00', ':30']).do(act)", f"Every hour at minute 0 and minute 30{IN}"),
    ("every(3).hours.at('10:30').do(act)", f"Every 3 hours at minute 10:30{IN}"),
    ("every().day.do(act)", f"Every day{IN}"),
    ("every().day.at('06:00').do(act)", f"Every day at 06:00{IN}"),
    ("every(2).days.at(['06:00', '12:00:30', '18:00']).do(act)", f"Every 2 days at 06:00, 12:00:30 and 18:00{IN}"),
    ("every().monday.at('16:20').do(act)", f"Every Monday at 16:20{IN}"),
    ("every(2).weeks.do(act)", f"Every 2 weeks{IN}"),
    (
        "every().day.at('06:00', 'Asia/Tokyo').do(SendLetterJob, DUE_AT)",
        "Every day at 06:00 in Asia/Tokyo: SendLetterJob(DUE_AT), catches up for 1 h",
    ),
    # cron
    ("cron('0 9 * * mon-fri').do(act)", f"At 09:00 on Monday through Friday{IN}"),
    ("cron('@daily').do(act)", f"At 00:00 every day{IN}"),
    ("cron('30 6 21,22,23 * *').do(act)", f"At 06:30 on the 21st, the 22nd, and the 23rd day of month{IN}"),
    # Clockwork's form
    ("every(180, 'x')(act)", "Every 3 minutes: act, catches up for 1 h"),
    ("every(timedelta(days=1), 'x', at='0:00')(act)", f"Every day at 00:00{IN}"),
    ("every(timedelta(hours=1), 'x', at='**:30')(act)", f"Every hour at minute 30{IN}"),
    ("every(10, 'x', at='9:**')(act)", f"Every 10 seconds from 09:00 to 09:59{IN}"),
    ("every(timedelta(weeks=2), 'x', at='mon 16:20')(act)", f"Every 2 weeks on Monday at 16:20{IN}"),
    (
        "every(timedelta(days=1), 'x', at=['06:00', 'Sunday 18:00:30'], skip_first_run=True)(act)",
        "Every day at 06:00 and on Sunday at 18:00:30 in Europe/Berlin, not at first: act, catches up for 1 h",
    ),
    # days of a month, working days
    ("every().weekday.at('09:00').do(act)", f"Every weekday at 09:00{IN}"),
    ("every().weekend.at('09:00').do(act)", f"Every weekend at 09:00{IN}"),
    ("every().month.on(1, 'last').at('09:00').do(act)", f"Every month on the 1st and last day at 09:00{IN}"),
    ("every(3).months.on('3rd monday').do(act)", f"Every 3 months on the 3rd Monday{IN}"),
    # how it fires
    (
        "every().weekday.at('09:00').except_on(holidays).do(SendLetterJob, 'daily')",
        "Every weekday at 09:00 in Europe/Berlin: SendLetterJob('daily'), catches up for 1 h, never on holidays",
    ),
    (
        "every().day.except_on('2026-12-25', otherwise='next').do(act)",
        f"Every day{IN}, moved to the next day on given days",
    ),
    (
        "every().hour.spread(timedelta(minutes=10)).do(act)",
        "Every hour: act, catches up for 1 h, up to 10 min later, always by the same amount",
    ),
    (
        "every().hour.jitter(timedelta(minutes=10)).do(act)",
        "Every hour: act, catches up for 1 h, up to 10 min later, random each time",
    ),
    (
        "every().day.dst(gap='shift', fold='second').do(act)",
        f"Every day{IN}, a time skipped by a clock change runs right after the gap, "
        "a time that occurs twice runs the second time",
    ),
    (
        "every().day.dst(gap='skip', fold='both').do(act)",
        f"Every day{IN}, a time skipped by a clock change is left out, a time that occurs twice runs both times",
    ),
    (
        "every().day.at('06:00').until('2026-12-31').do(act)",
        "Every day at 06:00 in Europe/Berlin: act, catches up for 1 h, until 2026-12-31 00:00:00",
    ),
    (
        "every().hour.until(timedelta(days=2)).do(act)",
        "Every hour: act, catches up for 1 h, until 2 days after it was first seen",
    ),
    (
        "every().hour.until('18:00').do(act)",
        "Every hour: act, catches up for 1 h, until 18:00:00 of the day on which it was first seen",
    ),
    (
        "every().hour.if_(lambda t: t.day == 1).do(act)",
        "Every hour: act, catches up for 1 h, only if lambda t: t.day == 1",
    ),
    (
        "every().hour.overlap('skip').do(act)",
        "Every hour: act, catches up for 1 h, skipped while the previous run is still active",
    ),
    (
        "every().hour.overlap('queue_one').do(act)",
        "Every hour: act, catches up for 1 h, at most one waiting while the previous run is still active",
    ),
    ("every().hour.thread().do(act)", "Every hour: act, catches up for 1 h, in its own thread"),
    ("every().hour.thread().do(SendLetterJob, 'x')", "Every hour: SendLetterJob('x'), catches up for 1 h"),
    (
        "every().hour.catch_up('all', within=timedelta(minutes=90)).do(act)",
        "Every hour: act, catches up all missed runs for 90 min",
    ),
    ("every().hour.catch_up('skip').do(act)", "Every hour: act, no catch-up"),
    ("every().hour.catch_up('latest', within=timedelta(0)).do(act)", "Every hour: act, no catch-up"),
    ("every().hour.describe('Because.').do(act)", "Every hour: act, catches up for 1 h. Because."),
]


@pytest.mark.parametrize(("declaration", "sentence"), SENTENCES)
def test_an_event_tells_itself_in_a_sentence(
    declared: Callable[..., Event], declaration: str, sentence: str
) -> None:
    assert explain(declared(declaration, "Europe/Berlin")) == sentence


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ("cron('0 9 * * mon-fri').do(act)", "at 09:00 on Monday through Friday"),
        ("every().monday.at('16:20').do(act)", "every Monday at 16:20"),
    ],
)
def test_a_schedule_in_words_may_stand_in_a_sentence(
    declared: Callable[..., Event], declaration: str, words: str
) -> None:
    assert schedule_words(declared(declaration)) == words


@pytest.mark.parametrize(
    ("declaration", "told"),
    [
        ("every().day.at('09:00').do(act)", "next run: Tue 24 Nov 09:00 CET"),
        ("every().minute.at(':15').do(act)", "next run: Tue 24 Nov 07:30:15 CET"),
        ("every().month.on('last').at('09:00').do(act)", "next run: Mon 30 Nov 09:00 CET"),
        ("every().hour.at(':45').do(act)", "next run: Tue 24 Nov 07:45 CET"),
        ("every(timedelta(days=1), 'x', at='09:00')(act)", "next run: Tue 24 Nov 09:00 CET"),
        ("every().day.at('09:00', 'Asia/Tokyo').do(act)", "next run: Wed 25 Nov 09:00 JST"),
        ("cron('0 0 1 1 *').do(act)", "next run: Fri 01 Jan 2027 00:00 CET"),
        ("cron('0 0 1 1 *').until('2026-12-01').do(act)", "next run: never"),
    ],
)
def test_the_sentence_ends_with_the_next_due_instant_in_the_events_zone(
    declared: Callable[..., Event], declaration: str, told: str
) -> None:
    assert explain(declared(declaration, "Europe/Berlin"), NOW).endswith(f", {told}")


def test_the_next_due_instant_counts_from_the_anchor(load_lines: Callable[[str], Timetable]) -> None:
    [event] = load_lines("every(3).days.at('09:00', 'Europe/Berlin').do(act)\n").events
    anchor = NOW.replace(day=22)

    assert explain(event, NOW, anchor=anchor).endswith("next run: Wed 25 Nov 09:00 CET")
    assert explain(event, NOW, anchor=NOW).endswith("next run: Fri 27 Nov 09:00 CET")


@pytest.mark.parametrize(
    "declaration",
    [
        "every(10).minutes.do(act)",
        "every().day.do(act)",
        "every(2).hours.at(':30').do(act)",
        "every(2).days.at('06:00').do(act)",
        "every(2).weeks.do(act)",
        "every(2).months.on(1).do(act)",
        "every(5).to(10).minutes.do(act)",
        "every(timedelta(weeks=2), 'x', at='mon 16:20')(act)",
    ],
)
def test_an_instant_that_depends_on_an_unknown_anchor_is_not_told(
    declared: Callable[..., Event], declaration: str
) -> None:
    assert "next" not in explain(declared(declaration, "Europe/Berlin"), NOW)
