import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clock.errors import DeclarationError, SourceFailed, UnknownEvent
from clock.timetable import Event, Settings, SyncedEvents, Timetable, find_event, read_rows, with_rows
from tests.timetable.jobs import SendLetterJob, act

Load = Callable[[str], Timetable]
ROWS = """
def rows():
    read.append(1)
    return [{"name": "of a row", "every": 60, "args": ["me"]}, {"name": "written", "every": 60, "args": ["me"]}]

read = []
sync_events(rows, every=timedelta(minutes=5), do=SendLetterJob)
every().day.do(act).named("written")
"""

SETTINGS = Settings(tz=ZoneInfo("Europe/Berlin"))
START = datetime(2026, 11, 24, 11, tzinfo=UTC)


def synced(do: Any = SendLetterJob) -> SyncedEvents:
    return SyncedEvents(list, timedelta(minutes=1), do, "lib/clock.py:7")


def read(*rows: object, do: Any = SendLetterJob) -> list[Event]:
    found = read_rows(synced(do), rows, SETTINGS)
    assert found.errors == ()
    return list(found.events)


def test_a_clock_file_says_where_rows_come_from(load_lines: Callable[[str], Timetable]) -> None:
    [source] = load_lines("sync_events(list, every=timedelta(minutes=5), do=SendLetterJob)\n").synced

    assert (source.load, source.every, source.do) == (list, timedelta(minutes=5), SendLetterJob)
    assert source.source.endswith("clock.py:5")


def test_rows_may_be_yielded(load_lines: Callable[[str], Timetable]) -> None:
    [source] = load_lines(
        "def rows():\n    yield 'a'\n    yield 'b'\n"
        "sync_events(rows, every=timedelta(minutes=5), do=SendLetterJob)\n"
    ).synced

    assert list(source.load()) == ["a", "b"]


@pytest.mark.parametrize("source", ["Report", "Report.objects", "Report.objects.all()"])
def test_rows_may_come_from_what_django_has(load_lines: Callable[[str], Timetable], source: str) -> None:
    [synced] = load_lines(f"""
class Rows:
    def __init__(self, *rows): self._rows = rows
    def all(self): return Rows(*self._rows, len(self._rows))
    def __iter__(self): return iter(self._rows)

class Report:
    objects = Rows()

sync_events({source}, every=timedelta(minutes=5), do=SendLetterJob)
""").synced

    assert list(synced.load())
    assert synced.load() is not synced.load()


def test_rows_may_come_from_a_select_of_sqlalchemys(
    load_lines: Callable[[str], Timetable], tmp_path: Path
) -> None:
    [entities, columns] = load_lines(
        """
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.pool import NullPool

class Base(DeclarativeBase): pass

class Report(Base):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    cron: Mapped[str]

engine = create_engine("sqlite:///DATABASE", poolclass=NullPool)  # which leaves no connection open
Base.metadata.create_all(engine)
Session = sessionmaker(engine)
with Session.begin() as session:
    session.add(Report(id=7, cron="@daily"))

statement = select(Report).order_by(Report.id)
sync_events(statement, every=timedelta(minutes=5), do=SendLetterJob, session=Session)
sync_events(select(Report.id, Report.cron), every=timedelta(minutes=5), do=SendLetterJob, session=Session)
""".replace("DATABASE", str(tmp_path / "reports.sqlite3"))
    ).synced

    for source in (entities, columns):
        assert [str(event.action) for event in read(*source.load())] == ["SendLetterJob(7)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("select(1)", "sync_events got a select; pass a session= too, such as a sessionmaker"),
        ("select(1), session=5", "sync_events: session is 5; it must be a sessionmaker"),
        ("list, session=list", "sync_events got <class 'list'>; session= works only with a select"),
    ],
)
def test_a_select_and_its_session_come_together(
    load_lines: Callable[[str], Timetable], arguments: str, message: str
) -> None:
    with pytest.raises(DeclarationError, match=re.escape(message)):
        load_lines(f"""
from sqlalchemy import literal, select as select_
select = lambda number: select_(literal(number))
sync_events({arguments}, every=timedelta(minutes=5), do=SendLetterJob)
""")


def test_a_mapping_becomes_an_event_with_all_that_it_says() -> None:
    [event] = read(
        {
            "id": 7,
            "name": "nightly",
            "every": "1 day",
            "at": "06:00, 18:00",
            "tz": "Asia/Tokyo",
            "args": ["me", 2],
            "catch_up": "all",
            "catch_up_within": "2 hours",
            "overlap": "skip",
            "description": "Why.",
            "created_at": START,
        }
    )

    assert (event.name, event.declaration) == ("nightly", "every day at 06:00 and at 18:00 in Asia/Tokyo")
    assert str(event.action) == "SendLetterJob('me', 2)"
    assert (event.catch_up, event.catch_up_within, event.overlap) == ("all", timedelta(hours=2), "skip")
    assert (event.description, event.source) == ("Why.", "lib/clock.py:7")
    assert event.next_after(START, anchor=START) == datetime(2026, 11, 24, 21, tzinfo=UTC)


def test_an_object_may_have_clockworks_attributes_and_a_function_gets_it() -> None:
    @dataclass
    class Report:
        id: int
        at: str | None = ""
        tz: str | None = None

        @property
        def frequency(self) -> int:
            return 3600

        def if_(self, due: datetime) -> bool:
            return due.day == self.id

    def run(row: Report) -> tuple[str, Report]:
        return ("ran", row)

    report = Report(24)
    [event] = read(report, do=run)

    assert event.name == "run 24"
    assert event.declaration == "every hour in Europe/Berlin"
    assert event.condition is not None
    assert event.condition(START)
    assert event.run(START) == ("ran", report)


def test_a_job_without_args_of_its_own_gets_the_id() -> None:
    [event] = read(SimpleNamespace(id=7, cron="@daily"))

    assert (event.name, str(event.action)) == ("SendLetterJob 7", "SendLetterJob(7)")
    assert event.declaration == "cron @daily in Europe/Berlin"


def test_due_at_among_the_arguments_stands_for_the_due_instant() -> None:
    [event] = read({"name": "x", "every": 60, "args": ["DUE_AT"]})

    assert str(event.action) == "SendLetterJob(DUE_AT)"


@pytest.mark.parametrize("enabled", ["false", "0", b"\0", float("nan")])
def test_a_text_that_would_count_as_enabled_is_refused(enabled: object) -> None:
    found = read_rows(synced(), [{"name": "x", "every": 60, "enabled": enabled}], SETTINGS)

    assert (found.events, len(found.errors)) == ((), 1)
    assert "it must be True or False" in str(found.errors[0])


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"id": 7, "name": "x", "enabled": "false"}, "'x': enabled is 'false'; it must be True or False"),
        ({"id": 7, "enabled": "false"}, "the row with id 7: enabled is 'false'; it must be True or False"),
        ({"enabled": "false"}, "a row without name and id: enabled is 'false'; it must be True or False"),
        ({"every": 60}, "a row needs a name or an id; it has only args, every"),
    ],
)
def test_an_error_names_its_row_and_not_the_values_of_the_other_columns(row: object, shown: str) -> None:
    secret = {**row, "args": ["s3cret"], "password": "s3cret"}  # type: ignore[dict-item]  # a mapping

    [error] = read_rows(synced(), [secret], SETTINGS).errors

    assert str(error).endswith(shown)


def test_a_row_that_is_not_enabled_has_no_event() -> None:
    assert read({"id": 1, "every": 60, "enabled": False}, {"id": 2, "every": 60, "enabled": 0}) == []


def test_an_event_begins_anew_where_attributes_change_that_are_not_ignored() -> None:
    def declared(attributes: object, *ignored: str) -> str:
        row = {"id": 1, "every": 60, "attributes": attributes, "ignored_attributes": list(ignored)}
        [event] = read(row)
        return event.declaration

    before = {"id": 1, "to": "me", "updated_at": START, "share": Decimal("0.5")}
    later = {**before, "updated_at": START + timedelta(days=1)}

    assert declared(before).startswith("every minute in Europe/Berlin with attributes ")
    assert declared(before) == declared(dict(reversed(before.items())))
    assert declared(before) != declared(later)
    assert declared(before, "updated_at") == declared(later, "updated_at", "deleted_at")
    assert declared(before, "updated_at") != declared({**later, "to": "you"}, "updated_at")
    assert declared(lambda: before) == declared(before)
    assert declared(None, "updated_at") == "every minute in Europe/Berlin"


def test_a_flag_may_be_0_or_1_as_in_sqlite() -> None:
    off, on = read(
        {"id": 1, "every": 60, "thread": 0, "skip_first_run": 0},
        {"id": 2, "every": 60, "thread": 1, "skip_first_run": 1},
    )

    assert (off.options.thread, on.options.thread) == (False, True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"every": 60}, "lib/clock.py:7: a row needs a name or an id; it has only every"),
        ({"id": 5}, "lib/clock.py:7: 'SendLetterJob 5': give one of every, cron, rrule, sun"),
        ({"id": 5, "every": 60, "cron": "@daily"}, "give one of every, cron, rrule, sun"),
        ({"id": 5, "every": "soon"}, "'soon' has the unknown unit 'soon'; use week, day, hour, minute, second"),
        ({"id": 5, "every": "10 mins!"}, "invalid period '10 mins!'; use '10 minutes'"),
        ({"id": 5, "every": 10**30}, "1000000000000000000000000000000 is too long for a period"),
        ({"id": 5, "every": "1" * 5000}, "1 is too long for a period"),
        ({"id": 5, "every": float("inf")}, "inf is too long for a period"),
        ({"id": 5, "every": "999999999999 weeks"}, "'999999999999 weeks' is too long for a period"),
        ({"id": 5, "every": 60, "jitter": "9999 weeks"}, "a timedelta of whole seconds, from 1 second to a year"),
        ({"id": 5, "every": 0.5}, "the period is 0.5; it must be a period of whole seconds, above 0"),
        ({"id": 5, "every": "0 minutes"}, "the period is '0 minutes'; it must be a period of whole seconds"),
        ({"id": 5, "every": 60, "jitter": "0 m"}, "jitter is '0 m'; it must be"),
        ({"id": 5, "every": 60, "spread": "soon"}, "'SendLetterJob 5': spread: 'soon' has the unknown unit"),
        ({"id": 5, "every": 60, "monitor": "No Slug"}, "'SendLetterJob 5': monitor is 'No Slug'; it must be True"),
        ({"id": 5, "every": "day", "at": "25:00"}, "at has 25, which must be at most 23"),
        ({"id": 5, "every": "day", "tz": "Mars"}, "'SendLetterJob 5': unknown time zone 'Mars'"),
        ({"id": 5, "every": "day", "if_": 5}, "if_ is 5; it must be a function of the due instant"),
        (
            {"id": 5, "every": "day", "overlap": "no"},
            'overlap is \'no\'; it must be "allow", "skip" or "queue_one"',
        ),
        ({"id": 5, "cron": "61 * * * *"}, "'SendLetterJob 5': cron is '61 * * * *': minute is '61'"),
        ({"id": 5, "cron": 5}, "cron is 5: "),
        ({"id": 5, "cron": "@daily", "at": "06:00"}, "cron takes no at: the expression already gives the time"),
        ({"id": 5, "every": 60, "args": [1, 2, 3]}, "cannot take 3 arguments"),
        ({"id": 5, "every": 60, "attributes": "a"}, "attributes is 'a'; it must be a mapping of names to values"),
        ({"id": 5, "every": 60, "attributes": {"a": object()}}, "attributes cannot be compared: "),
        ({"id": 5, "every": 60, "attributes": {}, "ignored_attributes": "a"}, "it must be a list of names"),
    ],
)
def test_a_bad_row_is_told_with_its_event_and_blocks_no_other(row: dict[str, Any], message: str) -> None:
    found = read_rows(synced(), [row, {"id": 6, "every": 60}], SETTINGS)

    [error] = found.errors
    assert message in str(error)
    assert [event.name for event in found.events] == ["SendLetterJob 6"]


def test_a_row_that_raises_when_it_is_asked_is_told_and_blocks_no_other() -> None:
    class Report:
        id = 5

        @property
        def every(self) -> int:
            raise LookupError("no connection")

    found = read_rows(synced(), [Report(), {"id": 6, "every": 60}], SETTINGS)

    assert [str(error) for error in found.errors] == [
        "lib/clock.py:7: a Report cannot be read: LookupError('no connection')"
    ]
    assert [event.name for event in found.events] == ["SendLetterJob 6"]


def test_a_renamed_row_keeps_its_old_names_unless_another_event_has_one_of_them() -> None:
    rows = [
        {"id": 1, "name": "new", "was": "old", "every": 60},
        {"id": 2, "name": "next", "was": ["before", "first"], "every": 60},
        {"id": 3, "name": "first", "every": 60},
        {"id": 4, "name": "mine", "was": "written", "every": 60},
    ]

    found = read_rows(synced(), rows, SETTINGS, taken={"written"})

    assert [(event.name, event.options.was) for event in found.events] == [("new", ("old",)), ("first", ())]
    assert [str(error).partition(";")[0] for error in found.errors] == [
        "lib/clock.py:7: 'next': was='first' is the name of another event",
        "lib/clock.py:7: 'mine': was='written' is the name of another event",
    ]


def test_no_row_may_take_the_name_of_another_event() -> None:
    rows = [{"name": name, "every": 60, "args": ["x"]} for name in ("a", "b", "b")]

    found = read_rows(synced(act), rows, SETTINGS, taken={"a"})

    assert [event.name for event in found.events] == ["b"]
    assert [str(error) for error in found.errors] == [
        "lib/clock.py:7: another event already has the name 'a'",
        "lib/clock.py:7: another event already has the name 'b'",
    ]


def test_an_event_of_the_file_or_of_a_row_is_found_by_its_name(load_lines: Load) -> None:
    timetable = load_lines(ROWS)

    assert find_event(timetable, "written").schedule == "every day"
    assert timetable.names["read"] == []  # the database is asked only for an event that the file does not have
    assert find_event(timetable, "of a row").schedule == "every minute"
    with pytest.raises(UnknownEvent, match="'nowhere'"):
        find_event(timetable, "nowhere")


def test_an_unknown_event_of_a_file_without_rows_is_refused(load_lines: Load) -> None:
    with pytest.raises(UnknownEvent, match="'nowhere'"):
        find_event(load_lines("every().day.do(act)"), "nowhere")


def test_events_of_rows_follow_those_of_the_file(load_lines: Load) -> None:
    assert [event.name for event in with_rows(load_lines(ROWS)).events] == ["written", "of a row"]


def test_a_database_that_cannot_be_read_is_named_with_its_line(load_lines: Load) -> None:
    timetable = load_lines(
        "def rows(): raise OSError('no route')\nsync_events(rows, every=timedelta(1), do=act)\n"
    )

    with pytest.raises(SourceFailed, match=r"clock\.py:6.*no route"):
        with_rows(timetable)
