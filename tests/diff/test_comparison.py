"""What a change to a clock file changes, firing by firing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from clock import testing
from clock.clocks import from_ms
from clock.diff.comparison import Change, Difference, compare
from clock.diff.comparison_text import to_data, to_markdown, to_text
from clock.diff.description import Described, EventFacts, describe
from clock.errors import ConfigurationError
from tests.examples import examples

HEAD = "from clock import configure, cron, every\nconfigure(tz='Europe/Berlin')\n"
START = datetime(2026, 3, 23, tzinfo=ZoneInfo("Europe/Berlin"))


def apply(old: Mapping[str, Sequence[int]], difference: Difference) -> dict[str, list[int]]:
    """The firings by event after the change, from those before it."""
    result = {name: set(fires) for name, fires in old.items()}
    for change in difference.changes:
        fires = result.pop(change.old.name) if change.old else set()
        fires -= {*change.gone, *(before for before, _ in change.moved)}
        fires |= {*change.added, *(after for _, after in change.moved)}
        if change.new:
            result[f"\0{change.new.name}"] = fires  # an old event of that name may be gone, or renamed in turn
    return {name.removeprefix("\0"): sorted(fires) for name, fires in result.items()}


def described(*lines: str, days: int = 14) -> Described:
    """A clock file of these lines, two weeks long around the night on which summer time begins."""
    timetable = testing.loads(HEAD + "\n".join(lines))
    return describe(timetable, START, START + timedelta(days=days))


def changed(old: list[str], new: list[str]) -> Difference:
    return compare(described(*old), described(*new))


def only(difference: Difference) -> Change:
    [change] = difference.changes
    return change


DAILY = 'every().day.at("06:00").do(print, 1).named("daily")'
WEEKLY = 'every().monday.at("09:00").do(print, 2).named("weekly")'


def test_a_million_runs_are_refused_before_they_are_made() -> None:
    with pytest.raises(
        ConfigurationError, match=r"has more than 1,000,000 runs until 2\d+-\d\d-\d\d; use an earlier"
    ):
        described("every(1).minutes.named('often').do(print)", days=36_525)


def test_a_file_and_itself_do_not_differ() -> None:
    difference = changed([DAILY, WEEKLY], [DAILY, WEEKLY])

    assert difference.is_empty
    assert not difference.loses_firings
    assert to_text(difference).startswith("Nothing changes: 16 runs")
    assert to_text(difference).endswith("\nNot compared: schedules put at run time.\n")
    assert to_data(difference)["left_out"] == ("schedules put at run time",)


def test_an_event_at_another_time_has_moved() -> None:
    change = only(changed([DAILY], [DAILY.replace("06:00", "06:30")]))

    assert {after - before for before, after in change.moved} == {1800}
    assert (len(change.moved), change.gone, change.added) == (14, (), ())


def test_a_weekly_event_on_another_day_has_moved() -> None:
    change = only(changed([WEEKLY], [WEEKLY.replace("monday", "wednesday")]))

    assert [after - before for before, after in change.moved] == [2 * 86400, 2 * 86400]


def test_an_event_that_fires_less_loses_firings() -> None:
    difference = changed([DAILY], [DAILY.replace("day", "monday")])

    assert (len(only(difference).gone), difference.loses_firings) == (12, True)


def test_an_event_that_is_not_there_any_more_is_gone() -> None:
    difference = changed([DAILY, WEEKLY], [DAILY])

    assert only(difference).new is None
    assert difference.loses_firings
    assert "- weekly: removed\n  2 runs gone: Mon 2026-03-23 09:00, Mon 2026-03-30 09:00" in to_text(difference)


def test_a_new_event_is_new_and_loses_nothing() -> None:
    difference = changed([DAILY], [DAILY, WEEKLY])

    assert only(difference).old is None
    assert not difference.loses_firings


def test_an_event_with_another_name_is_recognised() -> None:
    change = only(changed([DAILY, WEEKLY], [DAILY.replace('"daily"', '"every.day"'), WEEKLY]))

    assert (change.is_renamed, change.gone, change.added, change.moved) == (True, (), (), ())


def test_an_event_with_another_name_and_time_is_recognised_where_it_alone_does_the_same() -> None:
    difference = changed([DAILY, WEEKLY], [DAILY.replace('"daily"', '"later"').replace("06:00", "07:00"), WEEKLY])

    assert (only(difference).is_renamed, len(only(difference).moved)) == (True, 14)
    assert "~ daily -> later" in to_text(difference)


def test_an_event_that_says_what_it_was_is_the_same_whatever_else_changed() -> None:
    new = 'every().day.at("23:00").do(print).named("other", was="daily")'

    difference = changed([DAILY, WEEKLY], [new, WEEKLY])

    change = only(difference)
    assert (change.is_renamed, change.keeps_state, change.does_otherwise) == (True, True, True)
    assert "renamed; it keeps its state" in to_text(difference)
    assert decode(encode(difference.new), type=Described) == difference.new


def test_a_rename_that_loses_its_state_is_named_with_its_cure() -> None:
    difference = changed([DAILY, WEEKLY], [DAILY.replace('"daily"', '"every.day"'), WEEKLY])

    assert "renamed, and starts without its state: was='daily' would keep its state" in to_text(difference)


def test_two_events_that_swap_their_names_are_told_apart() -> None:
    old, new = (
        described(DAILY, WEEKLY),
        described(DAILY.replace("daily", "weekly"), WEEKLY.replace("weekly", "daily")),
    )

    fires = {event.name: list(event.fires) for event in new.events.values()}
    assert apply({event.name: list(event.fires) for event in old.events.values()}, compare(old, new)) == fires


def test_an_event_that_does_something_else_is_told() -> None:
    difference = changed([DAILY], [DAILY.replace("print, 1", "print, 9")])

    assert only(difference).does_otherwise
    assert "runs print(9), no longer print(1)" in to_text(difference)


def test_events_that_newly_fire_together_are_told() -> None:
    [collision] = changed([DAILY, WEEKLY], [DAILY, WEEKLY.replace("09:00", "06:00")]).collisions

    assert (collision.events, collision.count) == (("daily", "weekly"), 2)
    assert from_ms(collision.first * 1000).isoformat() == "2026-03-23T05:00:00+00:00"


def test_events_that_newly_fire_together_are_warned_of_with_the_first_time() -> None:
    difference = changed([DAILY, WEEKLY], [DAILY, WEEKLY.replace("09:00", "06:00")])

    warning = "daily, weekly now run together: 2 times, first "
    assert f"! {warning}" in to_text(difference)
    assert warning in to_markdown(difference)


def test_events_that_have_always_fired_together_are_not_told_even_by_another_name() -> None:
    together = WEEKLY.replace("09:00", "06:00")

    assert not changed([DAILY, together], [DAILY.replace("daily", "each.day"), together]).collisions


def test_a_time_that_a_night_skips_is_told_where_it_is_new() -> None:
    at_half_past_two = DAILY.replace("06:00", "02:30")

    assert not changed([at_half_past_two], [at_half_past_two]).hazards
    assert changed([DAILY], [at_half_past_two]).hazards == (
        ("daily", "02:30 is skipped on Sun 29 Mar 2026: it runs at 03:00 instead"),
    )


def test_markdown_is_a_table_that_names_cannot_break() -> None:
    difference = changed([DAILY], [DAILY, WEEKLY.replace('"weekly"', '"a|b<c"')])

    rows = [line for line in to_markdown(difference).splitlines() if line.startswith("|")]
    assert rows[-1].startswith("| + a\\|b&lt;c: new:")
    assert all(row.replace("\\|", "").count("|") == 3 for row in rows)


def test_markdown_of_files_that_do_not_differ_has_no_table() -> None:
    page = to_markdown(changed([DAILY], [DAILY]))

    assert page.startswith("**Nothing changes")
    assert "|" not in page


def test_json_tells_the_same() -> None:
    found: Any = to_data(changed([DAILY, WEEKLY], [DAILY.replace("06:00", "06:30")]))

    assert found["loses_firings"]
    assert found["events"][0]["moved"][0] == ["2026-03-23T06:00:00+01:00", "2026-03-23T06:30:00+01:00"]
    assert (found["events"][1]["event"], found["events"][1]["is_gone"]) == ("weekly", True)


def test_what_is_described_survives_being_sent() -> None:
    found = described(DAILY, 'every(5).minutes.do(print).named("often")')

    assert decode(encode(found), type=Described) == found


names = st.sampled_from(["a", "b", "c", "d", "e"])
fires = st.lists(st.integers(0, 40), unique=True, max_size=12).map(
    lambda hours: tuple(sorted(hour * 3600 * 5 for hour in hours))
)
events = st.builds(EventFacts, names, st.sampled_from(["x", "y"]), st.sampled_from(["do", "make"]), fires)
files = st.lists(events, unique_by=lambda event: event.name, max_size=5).map(
    lambda found: Described(from_ms(0), from_ms(10_000_000_000), "UTC", {event.name: event for event in found})
)


@given(old=files, new=files)
@settings(max_examples=examples(300))
def test_the_old_firings_and_the_difference_are_the_new_firings(old: Described, new: Described) -> None:
    before = {event.name: event.fires for event in old.events.values()}

    after = apply(before, compare(old, new))

    assert after == {event.name: list(event.fires) for event in new.events.values()}


@given(file=files)
def test_nothing_differs_from_itself(file: Described) -> None:
    assert compare(file, file).is_empty


clock_files = st.lists(
    st.sampled_from(
        [
            DAILY,
            DAILY.replace("06:00", "02:30"),
            DAILY.replace('"daily"', '"other"'),
            WEEKLY,
            WEEKLY.replace("monday", "friday"),
            'cron("*/20 8-18 * * mon-fri").do(print, 3).named("office")',
            'cron("*/30 8-18 * * *").do(print, 3).named("office")',
            'every(3).hours.do(print, 4).named("often")',
            'every(90).minutes.do(print, 4).named("often")',
            'every(2).days.do(print, 5).named("seldom")',
        ]
    ),
    max_size=6,
    unique_by=lambda line: line.rpartition("named")[2],
)


@given(old=clock_files, new=clock_files)
@settings(max_examples=examples(40))
def test_the_same_holds_of_any_two_clock_files(old: list[str], new: list[str]) -> None:
    before, after = described(*old), described(*new)

    found = apply({event.name: event.fires for event in before.events.values()}, compare(before, after))

    assert found == {event.name: list(event.fires) for event in after.events.values()}


def test_a_change_of_thousands_is_told_in_a_few_lines() -> None:
    old, new = ([f'every({n}).minutes.do(print).named("often")'] for n in (5, 6))

    assert len(to_text(changed(old, new)).splitlines()) < 8
