"""What very many events of a clock file have in common is in memory once."""

import json
from collections.abc import Callable

from clock.timetable import Timetable

Load = Callable[[str], Timetable]


def test_events_of_one_loop_share_all_that_is_equal(load_lines: Load) -> None:
    file = "for n in range(2): cron('0 6 * * *', tz='UTC').do(SendLetterJob, n).named(str(n))"

    first, second = load_lines(file).events

    assert first.trigger is second.trigger
    assert first.schedule is second.schedule
    assert first.declaration is second.declaration
    assert first.source is second.source
    assert first.options is second.options


def test_events_share_their_options_only_if_all_are_equal(load_lines: Load) -> None:
    file = """
    class Unhashable:
        __hash__ = None
        def __call__(self, due): return True
    condition = Unhashable()
    for n in range(2): cron("0 6 * * *").do(SendLetterJob, n).named(f"plain {n}")
    for n in range(2): cron("0 6 * * *").do(SendLetterJob, n).named(f"skip {n}").catch_up("skip").tag("a")
    for n in range(2): cron("0 6 * * *").do(SendLetterJob, n).named(f"if {n}").if_(condition)
    """

    events = load_lines(file).events

    assert [event.catch_up for event in events] == ["latest", "latest", "skip", "skip", "latest", "latest"]
    assert [event.tags for event in events[1:3]] == [frozenset(), {"a"}]
    assert [event.condition is not None for event in events] == [False] * 4 + [True] * 2
    assert len({id(event.options) for event in events[:4]}) == 2


def test_events_keep_their_own_options_if_these_are_equal_but_not_the_same(load_lines: Load) -> None:
    file = """
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo
    noon, tokyo = datetime(2030, 1, 1, 12, tzinfo=UTC), datetime(2030, 1, 1, 21, tzinfo=ZoneInfo("Asia/Tokyo"))
    for until in (noon, tokyo): cron("0 6 * * *").do(SendLetterJob, 1).named(f"{until}").until(until)
    for tag in (1, True): cron("0 6 * * *").do(SendLetterJob, 1).named(f"{tag}").tag(tag)
    """

    events = load_lines(file).events

    assert [str(event.until) for event in events[:2]] == ["2030-01-01 12:00:00+00:00", "2030-01-01 21:00:00+09:00"]
    assert [repr(tag) for event in events[2:] for tag in event.tags] == ["1", "True"]


def test_declarations_are_dropped_if_no_code_of_the_file_runs_in_the_clock(load_lines: Load) -> None:
    timetable = load_lines("cron('0 6 * * *').do(SendLetterJob, 1)")

    assert timetable.scheduler is not None
    assert timetable.scheduler.get_jobs() == []


def test_declarations_are_kept_for_actions_that_may_cancel_them(load_lines: Load) -> None:
    timetable = load_lines("cron('0 6 * * *').do(SendLetterJob, 1).tag('mail')\nevery().day.do(act)")

    assert timetable.scheduler is not None
    [job] = timetable.scheduler.get_jobs("mail")
    assert job.event_name == "SendLetterJob(1) cron 0 6 * * *"  # type: ignore[attr-defined]  # of our own jobs


def test_arguments_are_those_at_the_declaration(load_lines: Load) -> None:
    """A loop may change one dict for each event."""
    file = "given = {}\nfor n in range(2):\n    given['n'] = n\n    every().day.do(SendLetterJob, given)\n"

    events = load_lines(file).events

    prepared = [event.prepared.text(event.name, 0, None, "j", "1") for event in events if event.prepared]
    assert [json.loads(text)["args"] for text in prepared] == [[{"n": 0}], [{"n": 1}]]


def test_an_option_of_a_job_class_that_has_changed_counts_for_later_events(load_lines: Load) -> None:
    file = """
    class CountJob(Job):
        def perform(self, number): ...
    every().day.do(CountJob, 1)
    CountJob.queue = "low"
    every().day.do(CountJob, 2)
    """

    events = load_lines(file).events

    assert [event.prepared.queue for event in events if event.prepared] == ["default", "low"]
