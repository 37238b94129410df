import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from clock import every
from clock.errors import ClockError, ConfigurationError, DeclarationError, UnknownEvent
from clock.timetable import Callbacks, Event, Settings, Timetable, load
from clock.timetable.clock_file import declarations
from clock.timetable.clock_file.clockwork_form import OPTIONS
from clock.timetable.clock_file.zone_names import hint_of_zone
from tests.timetable import jobs

Load = Callable[[str], Timetable]
Declared = Callable[..., Event]
DUE = datetime(2026, 11, 24, 11, tzinfo=UTC)

BAD = [
    # jobs whose pushes would all fail, or would be one job
    ("every().day.do(SendLetterJob.set(jid='x'), DUE_AT)", "each run of an event has its own jid; leave out jid="),
    (
        "every().day.do(SendLetterJob.set(at_front=True), 7)",
        "at_front is for jobs that are enqueued now;",
    ),
    ("every().day.do(SendLetterJob, [DUE_AT])", "pass DUE_AT as a whole argument"),
    # the fluent form
    ("every().day.at('32:00').do(act)", "at('32:00'): Invalid"),
    ("every().day.at('25:00').do(act)", "at('25:00'): hour must be 0-23. Use"),
    ("every().day.at('12:60').do(act)", "at('12:60'): Invalid time format"),
    ("every().day.at('6').do(act)", "at('6'): Invalid time format"),
    ("every().day.at(6).do(act)", "at(6): at() should be passed a string"),
    ("every().day.at([]).do(act)", "at is an empty list; give at least one time"),
    ("every().day.at(['06:00', 'x']).do(act)", "at('x'): Invalid time format"),
    ("every().week.at('06:00').do(act)", "at('06:00'): Invalid unit"),
    ("every().hour.at('06:00:00').do(act)", "at('06:00:00'): Invalid time format"),
    (
        "every().day.at('06:00', 'Europe/Berln').do(act)",
        "unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
    ),
    ("every().hour.at('6:00').do(act)", "at('6:00'): Invalid time format"),
    ("every().minute.at('**:30').do(act)", "at('**:30'): Invalid time format"),
    ("every().weekday.at('**:30').do(act)", "at('**:30'): Invalid time format"),
    ("every().monday.at('tue 06:00').do(act)", "at('tue 06:00'): Invalid time format"),
    ("every(2).weekday.at('06:00').do(act)", "every(2).weekday: write every().weekday"),
    ("every().month.at('06:00').do(act)", "a month needs days; write every().month.on(1)"),
    ("every().month.on(32).do(act)", "invalid day of the month 32; use 1 to 31, 'last', '3rd monday'"),
    ("every().month.on('6th monday').do(act)", "invalid day of the month '6th monday'; use"),
    ("every().month.on('lats').do(act)", "invalid day of the month 'lats'; use"),
    ("every().day.on(1).do(act)", "on(...) takes days of a month; write every().month.on(1)"),
    ("every().day.dst(gap='move').do(act)", 'gap is \'move\'; it must be "shift" or "skip"'),
    ("every().day.dst(fold='last').do(act)", 'fold is \'last\'; it must be "first", "second" or "both"'),
    ("every().hour.dst(fold='both').do(act)", "dst(...) needs a time of day; this event counts elapsed time"),
    (
        "every().day.spread(60).do(act)",
        "spread is 60; it must be a timedelta of whole seconds, from 1 second to a year",
    ),
    (
        "every().day.jitter(timedelta(367)).do(act)",
        "jitter is datetime.timedelta(days=367); it must be a timedelta of whole",
    ),
    (
        "every().day.jitter(timedelta(0)).do(act)",
        "jitter is datetime.timedelta(0); it must be a timedelta of whole",
    ),
    ("every(2).to(3).hours.jitter(timedelta(minutes=1)).do(act)", "to(...) and jitter(...) cannot be combined"),
    (
        "every().day.except_on(25).do(act)",
        "except_on is 25; it must be a function of the date, or dates such as '2026-12-25'",
    ),
    ("every().day.except_on(['25.12.2026']).do(act)", "a function of the date, or dates such as '2026-12-25'"),
    (
        "every().day.except_on([], otherwise='later').do(act)",
        'otherwise is \'later\'; it must be "skip", "next" or',
    ),
    ("every().hour.except_on([], otherwise='next').do(act)", "'next' needs an event that runs at most once a day"),
    ("every(60, 'x', otherwise='next')(act)", "otherwise needs except_on"),
    ("every(60, 'x', gap='skip')(act)", "dst(...) needs a time of day; this event counts elapsed time"),
    ("every(10).do(act)", "the unit is missing; write every(10).minutes or every().day"),
    ("every(0).minutes.do(act)", "every(0): must be a whole number above 0"),
    ("every(-1).minutes.do(act)", "every(-1): must be a whole number above 0"),
    ("every(1.5).hours.do(act)", "every(1.5): must be a whole number above 0"),
    ("every(10**5000).hours.do(act)", "every(...): must be at most a century"),
    ("every(1).to(10**5000).hours.do(act)", ": a number has more than 4,300 digits"),
    ("cron('1' * 5000 + ' * * * *').do(act)", ": a number has more than 9 digits. Write minute, hour"),
    ("every(True).hours.do(act)", "every(True): must be a whole number above 0"),
    ("every('10').minutes.do(act)", "every('10'): must be a whole number above 0"),
    ("every(2).monday.do(act)", "Scheduling .monday() jobs is only allowed for weekly jobs"),
    ("every(2).minute.do(act)", "Use minutes instead of minute"),
    (
        "every(5).to(3).minutes.do(act)",
        "every(5).to(3): the second number must not be smaller than the first",
    ),
    (
        "every(5).to('9').minutes.do(act)",
        "every(5).to('9'): the second number must not be smaller than the first",
    ),
    ("every(1).to(True).minutes.do(act)", "every(1).to(True): the second number must not be smaller than the"),
    ("every(1).to(3).days.at('06:00').do(act)", "to(...) draws random times; it cannot be combined with at(...)"),
    ("every(1).to(3).days.at('mon 6:00').do(act)", "to(...) draws random times; it cannot be combined with at("),
    ("every(1).to(3).monday.do(act)", "to(...) draws random times; it cannot be combined with at(...)"),
    ("every(1).to(3).weekend.do(act)", "to(...) draws random times; it cannot be combined with at(...)"),
    ("every().day.until('soon').do(act)", "until is 'soon'; use a datetime, a timedelta, a time,"),
    ("every().day.until(5).do(act)", "until is 5; use a datetime"),
    ("every().day.until(10**400).do(act)", f"until is 1{'0' * 79}; use a datetime"),
    ("every().day.named('').do(act)", "name is ''; it must be text that is not empty, without line breaks"),
    (
        "every().day.named('a\\nb').do(act)",
        "name is 'a\\nb'; it must be text that is not empty, without line breaks",
    ),
    (
        "every().day.named('a', was='').do(act)",
        "was is ''; it must be the name that the event had before, or a list",
    ),
    ("every().day.named('a', was=['b', 1]).do(act)", "was is ['b', 1]; it must be the name that the event had"),
    ("every().day.named('a', was='a').do(act)", "'a': was='a' is its own name"),
    (
        "every().day.named('a', was='b').do(act); every().hour.named('b').do(act)",
        "'a': was='b' is the name of another event; an event and its old name cannot both be declared",
    ),
    (
        "every().day.named('a', was='c').do(act); every().hour.named('b', was='c').do(act)",
        "'b': was='c' is the name of another event",
    ),
    ("every(timedelta(days=1), 'a', was=[])", "was is []; it must be the name"),
    ("every().day.named(None).do(act)", "name is None; it must be text that is not empty, without line breaks"),
    ("every().day.if_(True).do(act)", "if_ is True; it must be a function of the due instant"),
    ("every().day.catch_up('none').do(act)", 'catch_up is \'none\'; it must be "latest", "all" or "skip"'),
    ("every().day.catch_up('all', within=60)", "catch_up_within is 60; it must be a timedelta of 0 or more"),
    ("every().day.overlap('wait').do(act)", 'overlap is \'wait\'; it must be "allow", "skip" or "queue_one"'),
    ("every().day.thread('yes').do(act)", "thread is 'yes'; it must be True or False"),
    ("every().day.spread(timedelta(hours=1), salt=5).do(act)", "salt is 5; it must be a string"),
    ("every(60, 'x', salt='a')(act)", "salt needs spread"),
    ("every().day.describe(5).do(act)", "description is 5; it must be a string"),
    ("every().day.tag([1]).do(act)", "tag got ([1],); tags must be hashable, such as strings"),
    ("every().day.do('act')", "do() needs a job class or a function, but got 'act'. Import it, and write do(act)"),
    (
        "every().day.do(SendLetterJob(), 'a')",
        "do() got an instance of SendLetterJob; write do(SendLetterJob, 'a')",
    ),
    ("every().day.do(NoJob)", "do got NoJob, which has perform but is not a job; write class NoJob(Job)"),
    ("sync_events(act, every=timedelta(1), do=NoJob)", "do got NoJob, which has perform but is not a job"),
    (
        "every().day.at('06:00', 'PST').do(act)",
        "unknown time zone 'PST'; an abbreviation is not a zone: write a place",
    ),
    ("every().day.do(None)", "do() needs a job class or a function, but got None. Do not call it: write do("),
    (
        "every().day.do(SendLetterJob)",
        "SendLetterJob: perform(address: str, copies: int = 1) cannot take 0 arguments",
    ),
    ("every().day.do(SendLetterJob, 1, 2, 3)", "cannot take 3 arguments"),
    ("every().day.do(SendLetterJob, {1})", "SendLetterJob: argument 1 is a set, {1}, which JSON does not support"),
    ("every().day.do(SendLetterJob, address='x')", "SendLetterJob got the keyword arguments ['address']"),
    ("every().day.do(SendLetterJob.set(que='x'), 'a')", "unknown option 'que'; did you mean 'queue'?"),
    # functions that cannot do what they are there for
    ("every().day.do(lambda x: x, 1, y=2)", "do got lambda x: x, which takes (x) and is called with (1, y=2)"),
    ("every().day.do(lambda x: x)", "do got lambda x: x, which takes (x) and is called with (): missing a"),
    ("every().day.do(len, [1], 2)", "do got len, which takes (obj, /) and is called with ([1], 2): too many"),
    (
        "every().day.do(str.join, sep=5)",
        "do got join, which takes (self, iterable, /) and is called with (sep=5)",
    ),
    (
        "every().day.do(wait, 'x')",
        "do got wait, an async function, which does nothing when called; it must be a plain",
    ),
    ("every().day.do(partial(wait, 'x'))", "do got wait('x'), an async function"),
    ("every().day.do(Waiter())", "do got Waiter, an async function"),
    ("every().day.do(give)", "do got give, a generator, which does nothing when called"),
    ("every().day.do(stream)", "do got stream, an async generator, which does nothing when called"),
    (
        "every().day.if_(lambda: True).do(act)",
        "if_ got lambda: True, which takes () and is called with (due)",
    ),
    ("every().day.if_(wait).do(act)", "if_ got wait, an async function"),
    (
        "every().day.except_on(lambda: True).do(act)",
        "except_on got lambda: True, which takes () and is called",
    ),
    (
        "every(60, 'x', if_=lambda: True)(act)",
        "if_ got lambda: True, which takes () and is called with (due)",
    ),
    (
        "every(60, 'x')(lambda: 1)",
        "every(..., 'x') got lambda: 1, which takes () and is called with (name, due)",
    ),
    ("every(60, 'x')(wait)", "every(..., 'x') got wait, an async function"),
    ("every(60, 'x')(SendLetterJob)", "every(..., 'x') got SendLetterJob, a job class; it must be a function"),
    ("handler(lambda job: 1)", "handler got lambda job: 1, which takes (job) and is called with (name, due)"),
    ("error_handler(lambda: 1)", "error_handler got lambda: 1, which takes () and is called with (error)"),
    ("on('before_tick')(lambda due: 1)", "on('before_tick') got lambda due: 1, which takes (due) and is"),
    ("on('after_run')(lambda event: 1)", "on('after_run') got lambda event: 1, which takes (event) and is"),
    (
        "sync_events(act, every=timedelta(1), do=lambda: 1)",
        "do got lambda: 1, which takes () and is called with (row)",
    ),
    ("every().day.at('06:00')", "this event has no action; end it with .do(...)"),
    ("cron('@daily')", "this event has no action; end it with .do(...)"),
    ("every().day.do(act).do(act)", "do(...) was already called; start another event with every(...)"),
    ("every().day.do(act).at('06:00')", "put at(...) before do(...)"),
    ("cron('@daily').at('06:00').do(act)", "cron(...) takes no at(...): the expression already gives the time"),
    (
        "cron('@daily').to(5).do(act)",
        "cron(...) takes no unit and no to(...): the expression already gives the time",
    ),
    ("every().day.hour.do(act)", "the unit is already set; start another event with every(...)"),
    ("every().weekday.monday.do(act)", "the unit is already set; start another event with every(...)"),
    (
        "every(10**9).hours.at(':30').do(act)",
        "every 1000000000 hours at minute 30: must be at most a century",
    ),
    ("every(1).to(10**9).days.do(act)", "every 1 to 1000000000 days: must be at most a century"),
    ("every().day.do(act).run()", "a clock file cannot run events while it is loaded; run one with"),
    ("repeat(5)(act)", "repeat got 5; it must be every(...)"),
    (
        "every().fortnight.do(act)",
        "every(...) has no method 'fortnight'; available: second, seconds, minute",
    ),
    ("every().mondays.do(act)", "every(...) has no method 'mondays'; did you mean 'monday'?"),
    ("every().day.name('x')", "every(...) has no method 'name'; did you mean 'named'?"),
    ("cron('@daily').weekday.do(act)", "cron(...) has no method 'weekday'; available: named, if_, until"),
    # cron
    (
        "cron('* * * *').do(act)",
        "cron is '* * * *': it has 4 fields; it must have five, or six with seconds first",
    ),
    ("cron('61 * * * *').do(act)", "cron is '61 * * * *': minute is '61'; must be 0 to 59"),
    ("cron('0 0 30 2 *').do(act)", "day of month is '30'; none of the expression's months has such a day"),
    ("cron('@often').do(act)", "cron is '@often'"),
    ("cron(5).do(act)", "cron is 5: it must be a string"),
    ("cron('0 0 * * *', tz='Mars').do(act)", "unknown time zone 'Mars'"),
    ("cron('0 0 * * *').minutes.do(act)", "cron(...) takes no unit"),
    # Clockwork's form
    ("every(timedelta(days=1), 'x', at='24:00')(act)", "at has 24, which must be at most 23"),
    ("every(timedelta(days=1), 'x', at='12:60')(act)", "at has 60, which must be at most 59"),
    ("every(timedelta(days=1), 'x', at='25:**')(act)", "at has 25, which must be at most 23"),
    ("every(timedelta(days=1), 'x', at='mon 12:75')(act)", "at has 75, which must be at most 59"),
    ("every(timedelta(days=1), 'x', at='tues 10:00')(act)", "at has the unknown weekday 'tues'"),
    ("every(timedelta(days=1), 'x', at='10:0')(act)", "at is '10:0'; use '16:20'"),
    ("every(timedelta(days=1), 'x', at='1' * 400)(act)", f"at is '{'1' * 79}; use '16:20'"),
    ("every(timedelta(days=1), 'x', at='**:**')(act)", "at is '**:**', which matches every minute"),
    ("every(timedelta(days=1), 'x', at=1000)(act)", "at is 1000; use '16:20'"),
    ("every(timedelta(days=1), 'x', at=[])(act)", "at is an empty list"),
    ("every(timedelta(days=1), 'x', at=[None])(act)", "at is None; use '16:20'"),
    ("every(timedelta(days=1), 'x', att='10:00')(act)", "every has no option 'att'; did you mean 'at'?"),
    ("every(timedelta(days=1), 'x', skip_frist_run=True)(act)", "did you mean 'skip_first_run'?"),
    ("every(timedelta(days=1), 'x', skip_first_run=1)(act)", "skip_first_run is 1; it must be True or False"),
    ("every(timedelta(days=1), 'x', thread='yes')(act)", "thread is 'yes'; it must be True or False"),
    (
        "every(timedelta(days=1), 'x', overlap='no')(act)",
        'overlap is \'no\'; it must be "allow", "skip" or "queue_one"',
    ),
    ("every(timedelta(days=1), 'x', catch_up_within=-timedelta(1))(act)", "a timedelta of 0 or more"),
    ("every(timedelta(days=1), 'x')('act')", "'x' decorates 'act'; it must be a function"),
    ("every(timedelta(days=1), 'x', until='soon')(act)", "until is 'soon'; use a datetime"),
    (
        "every(timedelta(days=1), 'x', tags='mail')(act)",
        "tags is 'mail'; it must be a list of tags, such as strings",
    ),
    ("every(timedelta(days=1), 'x', if_=5)(act)", "if_ is 5; it must be a function of the due instant"),
    ("every(timedelta(days=1), 'x', tz='EDT5')(act)", "unknown time zone 'EDT5'"),
    ("every(timedelta(0), 'x')(act)", "the period is datetime.timedelta(0)"),
    (
        "every(timedelta(seconds=1.5), 'x')(act)",
        "the period is datetime.timedelta(seconds=1, microseconds=500000)",
    ),
    ("every(True, 'x')(act)", "the period is True; it must be a timedelta or a number of seconds"),
    ("every(0.5, 'x')(act)", "the period is 0.5; it must be a timedelta or a number of seconds"),
    ("every(timedelta(days=10**6), 'x')(act)", "the period is datetime.timedelta(days=1000000)"),
    ("every(float('inf'), 'x')(act)", "the period is inf; it must be a timedelta or a number of seconds"),
    ("every('1 day', 'x')(act)", "the period is '1 day'; it must be a timedelta or a number of seconds"),
    ("every(None, 'x')(act)", "the period is None; it must be a timedelta or a number of seconds"),
    (
        "every(60, 'x').do(act)",
        "every(..., 'x') has no method 'do'; it decorates a function (name, due), or the @handler runs",
    ),
    ("every(60, 'x').minutes.do(act)", "every(..., 'x') has no method 'minutes'; it decorates a function"),
    ("every(60, 'x', 'y')(act)", "give one name after the period"),
    ("every(60, 'x', name='y')(act)", "give one name after the period"),
    ("every(60, 5)(act)", "give one name after the period"),
    ("every(60, '')(act)", "give one name after the period"),
    ("every(60, at='10:00')", "every(60) with at needs a name after the period, too"),
    ("every(timedelta(days=1))", "every(datetime.timedelta(days=1)) needs a name after the period, too"),
    ("every(60, 'x\\ny')(act)", "name is 'x\\ny'; it must be text that is not empty, without line breaks"),
    ("every(60, 'x')", "'x' has no action; use it to decorate a function (name, due)"),
    # the file's own settings
    ("configure(zone='UTC')", "configure has no setting 'zone'"),
    ("configure(tz='Berlin')", "unknown time zone 'Berlin'"),
    ("configure(tz='Factory')", "unknown time zone 'Factory'; use a name of the tz database"),
    ("configure(tz='localtime')", "unknown time zone 'localtime'"),
    (
        "configure(tz='UTC+2')",
        "unknown time zone 'UTC+2'; an offset is not a place: write 'Europe/Berlin', or 'Etc/GMT-2'",
    ),
    ("configure(tz='-05:00')", "or 'Etc/GMT+5' (with the sign reversed)"),
    ("configure(tz='UTC+14')", "or 'Etc/GMT-14' (with the sign reversed)"),
    (
        "configure(sleep_timeout=float('inf'))",
        "configure: sleep_timeout is inf; it must be a number of seconds, 1 or more",
    ),
    ("configure(sleep_timeout=0.1)", "configure: sleep_timeout is 0.1; it must be a number of seconds, 1 or more"),
    ("configure(max_threads=0)", "configure: max_threads is 0; it must be a whole number, 1 or more"),
    ("configure(logger='app')", "configure: logger is 'app'; it must be a logging.Logger"),
    ("configure(catch_up='never')", 'it must be "latest", "all" or "skip"'),
    ("configure(catch_up_within=60)", "configure: catch_up_within is 60; it must be a timedelta"),
    ("on('after_tock')(act)", "unknown callback 'after_tock'; did you mean 'after_tick'?"),
    ("handler('act')", "handler got 'act'; it must be a function"),
    ("error_handler(None)", "error_handler got None; it must be a function"),
    ("on('after_tick')(5)", "on('after_tick') got 5; it must be a function"),
    (
        "sync_events(wait, every=timedelta(1), do=act)",
        "sync_events got wait, an async function, which does nothing",
    ),
    (
        "sync_events(lambda row: [], every=timedelta(1), do=act)",
        "sync_events got lambda row: [], which takes (row)",
    ),
    ("sync_events([], every=timedelta(1), do=act)", "sync_events got []; it must be a function"),
    (
        "sync_events(act, every=60, do=act)",
        "sync_events: every is 60; it must be a timedelta from 1 second to a year",
    ),
    ("sync_events(act, every=timedelta(1), do='act')", "do is 'act'; it must be a job class or a function"),
    ("on('nope')", "unknown callback 'nope'"),
    ("on('startup')(act)", "on('startup') is an event of the worker; move it to a module of the jobs folder"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_a_bad_declaration_is_refused_with_file_line_value_and_what_is_accepted(
    load_lines: Load, line: str, message: str
) -> None:
    with pytest.raises(ClockError) as error:
        load_lines(f"\n{line}\n")

    assert "clock.py:6: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["UTC+15", "UTC-13", "UTC+05:30", "+0530", "UTC+5.5", "GMT-3:30"])
def test_an_offset_without_a_zone_of_the_database_is_answered_with_a_place_alone(name: str) -> None:
    assert hint_of_zone(name) == "; an offset is not a place: write 'Europe/Berlin'"


@pytest.mark.parametrize(
    "words",
    [
        "every(36525).days.do(act)",
        "every(36525 * 86400).seconds.do(act)",
        "every(1).to(36525).days.do(act)",
        "every(36525 * 86400, 'x')(act)",
        "every(timedelta(days=36525), 'x')(act)",
    ],
)
def test_the_longest_period_is_a_century(declared: Declared, words: str) -> None:
    declared(words)

    with pytest.raises(DeclarationError, match="at most a century"):
        declared(words.replace("36525", "36526"))


@pytest.mark.parametrize(
    "words",
    [
        "every(1, 'x')(act)",
        "every(timedelta(seconds=1), 'x')(act)",
        "every(5).to(5).minutes.do(act)",
        "every().day.spread(timedelta(seconds=1)).do(act)",
        "every().day.jitter(timedelta(days=366)).do(act)",
        "every().day.catch_up('all', within=timedelta(0)).do(act)",
        "configure(sleep_timeout=1, max_threads=1)\nevery().day.do(act)",
        "configure(sleep_timeout=36525 * 86400)\nevery().day.do(act)",
    ],
)
def test_the_smallest_and_the_largest_values_are_accepted(declared: Declared, words: str) -> None:
    assert declared(words).schedule


@pytest.mark.parametrize("seconds", [1, 366 * 86400])
def test_rows_of_a_database_are_read_each_second_to_each_year(load_lines: Load, seconds: int) -> None:
    line = f"sync_events(list, every=timedelta(seconds={seconds}), do=act)\n"

    [source] = load_lines(line).synced

    assert source.every == timedelta(seconds=seconds)
    with pytest.raises(DeclarationError, match="it must be a timedelta from 1 second to a year"):
        load_lines(line.replace(str(seconds), "0.5" if seconds == 1 else str(seconds + 1)))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Eastern Time (US & Canada)", "; write 'America/New_York'"),
        ("Kuala Lumpur", "; write 'Asia/Kuala_Lumpur'"),
        ("Europe/Berln", "; did you mean 'Europe/Berlin'?"),
        ("UTC+2", "; an offset is not a place: write 'Europe/Berlin', or 'Etc/GMT-2' (with the sign reversed)"),
        ("PST", "; an abbreviation is not a zone: write a place, such as 'America/Los_Angeles'"),
    ],
)
def test_an_unknown_zone_is_answered_with_the_name_to_write(name: str, hint: str) -> None:
    assert hint_of_zone(name) == hint


def test_a_zone_without_a_place_is_not_offered() -> None:
    assert hint_of_zone("Factorys") == "; use a name of the tz database: 'Europe/Berlin'"


def test_the_result_of_a_declaration_has_no_private_names_of_others(load_lines: Load) -> None:
    names = load_lines("job = every().day.do(act)\ndecorator = every(60, 'x')\ndecorator(act)\n").names

    assert [hasattr(names[name], "_private") for name in ("job", "decorator")] == [False, False]


def test_a_name_that_repeats_is_refused_with_both_lines(load_lines: Load) -> None:
    with pytest.raises(DeclarationError, match=r"clock\.py:6: another event is named 'x', at .*clock\.py:5;"):
        load_lines("every().day.named('x').do(act)\nevery().hour.named('x').do(act)\n")


def test_the_names_that_an_event_had_before_are_kept_in_each_form(load_lines: Load) -> None:
    events = load_lines(
        """
        every().day.named("b", was="a").do(act)
        cron("0 6 * * *").named("d", was=["x", "c"]).do(act)
        every(timedelta(days=1), "f", was="e")(lambda name, due: None)
        """
    ).events

    assert [event.options.was for event in events] == [("a",), ("x", "c"), ("e",)]


@pytest.mark.parametrize(
    "words",
    [
        'every().day.at("06:00").spread(timedelta(hours=1))',
        'every().day.at("06:00").jitter(timedelta(hours=1))',
        "every(5).to(60).minutes",
    ],
)
def test_a_rename_moves_nothing_that_is_drawn_from_the_name(declared: Declared, words: str) -> None:
    before = declared(f"{words}.named('a').do(act)")
    renamed = declared(f"{words}.named('c', was=['a', 'b']).do(act)")
    another = declared(f"{words}.named('c').do(act)")

    anchor = datetime(2026, 11, 24, 6, tzinfo=UTC)
    dues = [event.next_after(anchor, anchor=anchor) for event in (before, renamed, another)]
    assert dues[0] == dues[1] != dues[2]


def test_events_that_end_at_one_moment_in_two_zones_keep_their_own_end(load_lines: Load) -> None:
    first, second = load_lines(
        """
        for end in ("2030-01-01T12:00+01:00", "2030-01-01T11:00+00:00"):
            every().day.until(datetime.fromisoformat(end)).do(act)
        """
    ).events

    assert (str(first.until), str(second.until)) == ("2030-01-01 12:00:00+01:00", "2030-01-01 11:00:00+00:00")


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ("every().day.do(act)", 1),
        ("every().day.do(SendLetterJob, 'me')\nsync_events(list, every=timedelta(1), do=SendLetterJob)", 1),
        ("every().day.do(SendLetterJob, 'me')\nevery().day.do(act)", 2),
        ("every().day.do(SendLetterJob, 'me')", 0),  # no code of the file runs in the clock: this saves memory
    ],
)
def test_code_that_runs_in_the_clock_can_ask_for_the_declarations(load_lines: Load, lines: str, kept: int) -> None:
    scheduler = load_lines(f"{lines}\n").scheduler

    assert scheduler
    assert len(scheduler.get_jobs()) == kept


def test_a_declaration_outside_of_a_clock_file_ends_a_script_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "clock.py"
    script.write_text("from clock import every\nevery()\n")
    code = compile(script.read_text(), str(script), "exec")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit, match=r"^clock: clock\.py:2: events work only .* python -m clockd clock\.py$"):
        exec(code, {"__name__": "__main__"})  # noqa: S102  # its own text
    with pytest.raises(DeclarationError, match=r"^clock\.py:2: events work only .* python -m clockd clock\.py$"):
        exec(code, {"__name__": "imported"})  # noqa: S102  # its own text
    script.rename(tmp_path / "mine.py")
    with pytest.raises(DeclarationError, match=r"^clock\.py:2: .* python -m clock clock\.py$"):
        exec(code, {"__name__": "__main__"})  # noqa: S102  # its own text


def test_the_name_of_clockworks_form_may_have_its_keyword(declared: Declared) -> None:
    assert declared("every(60, name='x')(act)").name == "x"


def test_a_name_may_come_after_do(load_lines: Load) -> None:
    assert [event.name for event in load_lines("every().day.do(act).named('x')\n").events] == ["x"]


def test_names_are_made_from_action_and_schedule_and_do_not_depend_on_the_order(load_lines: Load) -> None:
    lines = [
        "every(10).minutes.do(act, 'news')",
        "every().day.at('06:00').do(SendLetterJob, 'me')",
        "cron('@daily').do(SendLetterJob.set(queue='low'), 'me')",
    ]

    names = {event.name for event in load_lines("\n".join(lines)).events}
    again = {event.name for event in load_lines("\n" + "\n".join(reversed(lines))).events}

    assert (
        names
        == again
        == {
            "act('news') every 10 minutes",
            "SendLetterJob('me') every day at 06:00",
            "SendLetterJob.set(queue='low')('me') cron @daily",
        }
    )


def test_equal_events_without_a_name_are_numbered(load_lines: Load) -> None:
    events = load_lines("for _ in range(4): every().day.do(act)\n").events

    assert [event.name for event in events] == ["act every day", *(f"act every day ({n})" for n in (2, 3, 4))]


def test_the_declaration_changes_with_schedule_and_zone_and_with_nothing_else(declared: Declared) -> None:
    base = declared("every().day.at('06:00').do(act)").declaration

    assert declared("\n\nevery().day.at('06:00').named('x').thread().do(act, 1)").declaration == base
    for other in (
        "every().day.at('06:01').do(act)",
        "every(2).days.at('06:00').do(act)",
        "every().day.at('06:00', 'UTC').do(act)",
        "every().day.at('06:00').until('2030-01-01').do(act)",
    ):
        assert declared(other).declaration != base


def test_a_job_class_is_enqueued_with_the_due_instant_for_due_at(declared: Declared) -> None:
    event = declared("every().day.do(SendLetterJob, DUE_AT)")

    assert event.enqueues
    assert str(event.action) == "SendLetterJob(DUE_AT)"


def test_a_callable_gets_its_arguments_and_the_due_instant_for_due_at(declared: Declared) -> None:
    jobs.calls.clear()

    declared("every().day.do(act, 1, DUE_AT, key=DUE_AT)").run(DUE)

    assert jobs.calls == [(1, "2026-11-24T11:00:00+00:00", {"key": "2026-11-24T11:00:00+00:00"})]


def test_a_handler_gets_the_name_and_the_due_instant_in_its_zone(declared: Declared) -> None:
    jobs.calls.clear()

    declared("every(60, 'x', tz='Asia/Tokyo')\nhandler(act)").run(DUE)

    [(name, due)] = jobs.calls
    assert (name, str(due)) == ("x", "2026-11-24 20:00:00+09:00")


def test_a_decorated_function_goes_before_the_general_handler(declared: Declared) -> None:
    event = declared("@handler\ndef general(name, due): ...\n@every(60, 'x')\ndef own(name, due): return 'own'")

    assert event.run(DUE) == "own"


def test_repeat_decorates_a_function_with_a_fluent_declaration(declared: Declared) -> None:
    event = declared("@repeat(every().day.at('06:00'), 7)\ndef send(number): return number")

    assert event.run(DUE) == 7


def test_of_a_decorated_function_what_the_decorator_takes_counts(load_lines: Load) -> None:
    timetable = load_lines("""
        from functools import wraps
        from unittest.mock import Mock

        def with_session(function):
            @wraps(function)
            def call(*args): return function("session", *args)
            return call

        @with_session
        def clean(session, days): ...

        @with_session
        async def bridged(session): ...

        def with_options(function):
            @wraps(function)
            def call(*args, **options): return function(*args)
            return call

        every().day.do(with_options(act), 1, retries=2).named("takes options")
        every().day.do(with_options(lambda: 1), retries=2).named("takes options of its own")

        every().day.do(clean, 90).named("decorated")
        every().day.do(bridged).named("made plain by its decorator")
        every().day.do(dict, a=1).named("tells nothing of its arguments")
        every().day.do(act).if_(Mock()).named("a mock")
    """)

    assert len(timetable.events) == 6


def test_options_of_configure_go_for_events_that_do_not_say_otherwise(load_lines: Load) -> None:
    first, second = load_lines(
        "every().day.do(act)\n"
        "every().day.catch_up('all', within=timedelta(days=1)).thread(False).do(act)\n"
        "configure(tz='Asia/Tokyo', thread=True, catch_up='skip', catch_up_within=timedelta(0))\n"
    ).events

    assert (str(first.zone), first.options.thread, first.catch_up, first.catch_up_within) == (
        "Asia/Tokyo",
        True,
        "skip",
        timedelta(0),
    )
    assert (second.options.thread, second.catch_up, second.catch_up_within) == (False, "all", timedelta(days=1))


def test_tags_and_descriptions_are_kept(declared: Declared) -> None:
    event = declared("every().day.tag('a', 'b').describe('Why.').do(act)")

    assert (event.tags, event.description) == (frozenset({"a", "b"}), "Why.")


def test_callbacks_and_error_handlers_are_collected(load_lines: Load) -> None:
    timetable = load_lines(
        "for name in ('before_tick', 'after_tick', 'before_run', 'after_run'): on(name)(act)\nerror_handler(act)\n"
    )

    callbacks = timetable.callbacks
    assert [callbacks.before_tick, callbacks.after_tick, callbacks.before_run, callbacks.after_run] == [
        (jobs.act,)
    ] * 4
    assert timetable.error_handlers == (jobs.act,)


def test_loading_twice_gives_two_timetables_and_leaves_nothing_behind(load_lines: Load) -> None:
    modules = set(sys.modules)

    first, second = load_lines("every().day.do(act)\n"), load_lines("every().day.do(act)\n")

    assert len(first.events) == len(second.events) == 1
    assert set(sys.modules) == modules
    with pytest.raises(DeclarationError, match=r"run it with: python -m clock .*test_declarations\.py"):
        every()


def test_a_clock_file_can_be_loaded_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "greetings_for_this_test.py").write_text("def greet(): ...")
    (tmp_path / "lib" / "clock.py").write_text(
        "from clock import every\nfrom greetings_for_this_test import greet\nevery().day.do(greet)\n"
    )
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir("/")

    assert len(load(tmp_path / "lib" / "clock.py", root=tmp_path).events) == 1


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no clock file .*nothing\.py; give another path"):
        load(tmp_path / "nothing.py")


def test_an_unknown_event_is_named_with_the_near_one(load_lines: Load) -> None:
    with pytest.raises(UnknownEvent, match=r"no event is named 'nightly\.job'; did you mean 'nightly\.jobs'"):
        load_lines("every().day.named('nightly.jobs').do(act)\n").event("nightly.job")


def test_an_event_asked_for_by_its_old_name_is_named_by_its_new_one(load_lines: Load) -> None:
    with pytest.raises(UnknownEvent, match=r"no event is named 'old'; it is now 'new'\."):
        load_lines("every().day.named('new', was='old').do(act)\n").event("old")


def test_a_tz_that_names_no_zone_is_refused_where_the_file_names_none(
    load_lines: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Mars/Phobos")

    with pytest.raises(ConfigurationError, match="variable TZ is 'Mars/Phobos', which is not in the tz database"):
        load_lines("every().day.do(act)\n")
    assert load_lines("configure(tz='UTC')\nevery().day.do(act)\n").settings.tz == ZoneInfo("UTC")


def test_an_editor_is_told_of_all_that_is_taken_and_of_nothing_else() -> None:
    assert set(declarations.Options.__annotations__) == set(OPTIONS)
    assert set(declarations.FileSettings.__annotations__) == {field.name for field in fields(Settings)}
    assert get_args(declarations.CallbackName) == tuple(field.name for field in fields(Callbacks))
