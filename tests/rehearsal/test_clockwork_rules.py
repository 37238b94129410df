"""What Clockwork does, rehearsed: where we do the same, and where we do better, told row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from clock import testing
from clock.errors import DeclarationError
from clock.testing import History
from tests.examples import few_every_day

MONDAY = datetime(2026, 6, 1, 9)
HEAD = "from datetime import timedelta\nfrom clock import configure, every, on\nconfigure(tz={tz!r})\n"


def rehearse(declaration: str, *, start: datetime = MONDAY, tz: str = "UTC", **length: float) -> History:
    """A clock first started at `start`, with one event: `every(<declaration>)`, named x."""
    text = HEAD.format(tz=tz) + f"@every({declaration})\ndef x(name, due): ...\n"
    return testing.run(testing.loads(text), start_time=start, end_time=start + timedelta(**length))


def shown(history: History, form: str = "%a %H:%M:%S") -> list[str]:
    """When x fired, on the clocks of its zone."""
    zone = history.timetable.settings.tz
    return [at.astimezone(zone).strftime(form) for at in history.fires("x")]


@pytest.mark.parametrize(
    ("declaration", "hours", "fires"),
    [
        ("timedelta(days=1), 'x', at='10:00'", 49, ["Mon 10:00:00", "Tue 10:00:00"]),
        ("timedelta(hours=1), 'x', at='**:30'", 3, ["Mon 09:30:00", "Mon 10:30:00", "Mon 11:30:00"]),
        ("timedelta(hours=1), 'x', at='10:00'", 49, ["Mon 10:00:00", "Tue 10:00:00"]),
        ("timedelta(seconds=30), 'x', at='10:00'", 24, ["Mon 10:00:00", "Mon 10:00:30"]),
        ("timedelta(hours=25), 'x', at='10:00'", 96, ["Mon 10:00:00", "Wed 10:00:00"]),
        ("timedelta(minutes=90), 'x', at='**:15'", 6, ["Mon 09:15:00", "Mon 11:15:00", "Mon 13:15:00"]),
        ("timedelta(days=1), 'x', at='10:**'", 48, ["Mon 10:00:00", "Tue 10:00:00"]),
        ("timedelta(days=1), 'x', at='**:30'", 48, ["Mon 09:30:00", "Tue 09:30:00"]),
        ("timedelta(weeks=1), 'x', at='10:00'", 24 * 8, ["Mon 10:00:00", "Mon 10:00:00"]),
        ("timedelta(weeks=2), 'x', at='Monday 16:20'", 24 * 20, ["Mon 16:20:00", "Mon 16:20:00"]),
        ("timedelta(minutes=20), 'x'", 1, ["Mon 09:00:00", "Mon 09:20:00", "Mon 09:40:00"]),
        ("1200, 'x'", 1, ["Mon 09:00:00", "Mon 09:20:00", "Mon 09:40:00"]),
        ("timedelta(hours=12), 'x', at=['10:00', '10:00']", 12, ["Mon 10:00:00"]),
    ],
)
def test_periods_and_times(declaration: str, hours: int, fires: list[str]) -> None:
    assert shown(rehearse(declaration, hours=hours)) == fires


def test_a_period_of_a_second_fires_sixty_times_in_its_minute() -> None:
    assert rehearse("timedelta(seconds=1), 'x', at='10:00'", hours=24).times_run("x") == 60


def test_the_first_of_each_month_is_not_lost_after_short_months() -> None:
    declaration = "timedelta(days=1), 'x', at='00:00', if_=lambda due: due.day == 1"

    fires = shown(rehearse(declaration, start=datetime(2024, 1, 1), days=366), "%d")

    assert fires == ["01"] * 12


@pytest.mark.parametrize(
    ("declaration", "start", "fires"),
    [
        ("timedelta(days=1), 'x', at='02:30'", datetime(2026, 3, 7), ["07 02:30", "08 03:00", "09 02:30"]),
        ("timedelta(weeks=1), 'x', at='sun 02:15'", datetime(2026, 3, 7), ["08 03:00"]),
        ("timedelta(days=1), 'x', at='12:00'", datetime(2026, 3, 7), ["07 12:00", "08 12:00", "09 12:00"]),
        ("timedelta(days=1), 'x', at='01:30'", datetime(2026, 10, 31), ["31 01:30", "01 01:30", "02 01:30"]),
        ("timedelta(days=1), 'x'", datetime(2026, 10, 31, 9), ["31 09:00", "01 09:00", "02 09:00"]),
        (
            "timedelta(hours=12), 'x'",
            datetime(2026, 10, 31, 9),
            ["31 09:00", "31 21:00", "01 08:00", "01 20:00", "02 08:00", "02 20:00", "03 08:00"],
        ),
    ],
)
def test_the_odd_nights_in_new_york(declaration: str, start: datetime, fires: list[str]) -> None:
    assert shown(rehearse(declaration, start=start, tz="America/New_York", days=3), "%d %H:%M") == fires


def test_hourly_events_fire_in_both_hours_when_the_clocks_go_back() -> None:
    history = rehearse(
        "timedelta(hours=1), 'x', at='**:30'", start=datetime(2026, 11, 1), tz="America/New_York", hours=4
    )

    assert shown(history, "%H:%M %Z") == ["00:30 EDT", "01:30 EDT", "01:30 EST", "02:30 EST", "03:30 EST"]


def test_a_date_line_that_moves_fires_no_minute_full_of_runs() -> None:
    """Samoa has no 30 December 2011: its run is at the first instant after it, as with any skipped time."""
    history = rehearse(
        "timedelta(days=1), 'x', at='10:00'", start=datetime(2011, 12, 28), tz="Pacific/Apia", days=5
    )

    assert shown(history, "%d %H:%M") == ["28 10:00", "29 10:00", "31 00:00", "31 10:00", "01 10:00"]


def test_skip_first_run_passes_one_candidate_over_and_no_more() -> None:
    declaration = "timedelta(days=1), 'x', at='10:00', skip_first_run=True"

    assert shown(rehearse(declaration, days=3)) == ["Tue 10:00:00", "Wed 10:00:00"]


def away(declaration: str, begin: datetime, end: datetime, **length: float) -> History:
    text = HEAD.format(tz="UTC") + f"@every({declaration})\ndef x(name, due): ...\n"
    return testing.run(
        testing.loads(text), start_time=MONDAY, end_time=MONDAY + timedelta(**length), downtime=[(begin, end)]
    )


def test_a_clock_that_is_away_for_the_minute_loses_no_run() -> None:
    history = away(
        "timedelta(days=1), 'x', at='10:00'", MONDAY.replace(minute=59), MONDAY.replace(hour=10, minute=5), days=1
    )

    assert shown(history) == ["Mon 10:00:00"]


def test_a_late_tick_makes_no_later_day_late() -> None:
    history = away(
        "timedelta(days=1), 'x', at='10:00'", MONDAY.replace(minute=59), MONDAY.replace(hour=10, second=45), days=3
    )

    assert shown(history) == ["Mon 10:00:00", "Tue 10:00:00", "Wed 10:00:00"]


def test_restarts_within_the_minute_fire_once() -> None:
    history = away(
        "timedelta(days=1), 'x', at='10:00'",
        MONDAY.replace(hour=10, second=5),
        MONDAY.replace(hour=10, second=20),
        days=1,
    )

    assert shown(history) == ["Mon 10:00:00"]


def test_a_restart_is_no_start() -> None:
    history = away("timedelta(hours=5), 'x'", MONDAY.replace(hour=11), MONDAY.replace(hour=12), hours=12)

    assert shown(history) == ["Mon 09:00:00", "Mon 14:00:00", "Mon 19:00:00"]


@pytest.mark.parametrize("seconds", few_every_day([300, 61, 59, 7], 2))
def test_a_coarse_tick_slides_and_loses_nothing(seconds: int) -> None:
    text = HEAD.format(tz="UTC") + "@every(timedelta(days=1), 'x', at='10:00')\ndef x(name, due): ...\n"

    history = testing.run(
        testing.loads(text),
        start_time=MONDAY,
        end_time=MONDAY + timedelta(days=5),
        tick_speed=timedelta(seconds=seconds),
    )

    assert shown(history) == [f"{day} 10:00:00" for day in ("Mon", "Tue", "Wed", "Thu", "Fri")]


def test_a_veto_of_before_tick_holds_everything_until_it_is_taken_back() -> None:
    text = HEAD.format(tz="UTC") + (
        "from datetime import datetime\n"
        "@on('before_tick')\n"
        "def not_before_half_past():\n    return datetime.now().minute >= 30\n"
        "@every(timedelta(days=1), 'x', at='10:00')\ndef x(name, due): ...\n"
    )

    history = testing.run(testing.loads(text), start_time=MONDAY, end_time=MONDAY + timedelta(hours=3))

    [decision] = [item for item in history.decisions if item.kind == "caught_up"]
    assert decision.detail["late_ms"] == 30 * 60 * 1000


@pytest.mark.parametrize(
    "declaration",
    [
        *(
            f"86400, 'x', at={at!r}"
            for at in ("12:60", "25:00", "99:**", "mon 12:75", "24:00", "**:**", "tues 10:00", "10:0")
        ),
        "86400, 'x', att='10:00'",
        "86400, 'x', skip_frist_run=True",
        "86400, 'x', tz='America/New_Yrok'",
        "86400, 'x', at=[]",
        "86400, 'x', if_=1",
        "None, 'x'",
        "0, 'x'",
    ],
)
def test_what_clockwork_takes_without_a_word_is_an_error_here(declaration: str) -> None:
    with pytest.raises(DeclarationError):
        rehearse(declaration, hours=1)


def test_an_error_of_a_condition_is_told_once_for_its_due_instant() -> None:
    history = rehearse("timedelta(days=1), 'x', at='10:00', if_=lambda due: 1 // 0", days=3)

    assert [item.kind for item in history.decisions] == ["error", "error", "error"]
    assert str(history.decisions[0].detail["reason"]).startswith("ZeroDivisionError: ")
    assert history.decisions[0].due_ms == datetime(2026, 6, 1, 10, tzinfo=UTC).timestamp() * 1000
