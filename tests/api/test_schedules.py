"""Schedules made at run time: compare-and-set, and a model of what a clock makes of random changes."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from clock import Job, api
from clock.clocks import to_ms
from clock.errors import DeclarationError, ScheduleConflict
from clock.inspection.audit import changes
from clock.inspection.events.schedules import event_of, next_runs, with_schedules, with_stored_events
from clock.job.push.client import using_clock
from clock.lint.against_redis import stored_schedules
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger import timetable_changes
from clock.store.ledger.ledger import RedisLedger
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.timetable import Timetable, load, read_rows, with_rows
from tests.ticker.jobs import FetchNewsJob

NOW = datetime(2026, 11, 24, 6, 0, 30, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)
RUNS = ["25 06:00", "26 06:00"]  # those of a schedule until the 26th
SEEDS = 12
STEPS = 120


@pytest.fixture
def fake_clock() -> Iterator[FakeClock]:
    clock = FakeClock(NOW)
    with using_clock(clock):
        yield clock


@pytest.fixture
def timetable(tmp_path: Path) -> Timetable:
    path = tmp_path / "clock.py"
    path.write_text("from clock import every\nevery().day.at('23:00', 'UTC').named('of.file').do(print)\n")
    return load(path)


def new_ticker(redis: Redis, timetable: Timetable, clock: FakeClock) -> Ticker:
    whole = with_schedules(timetable, redis)
    return Ticker(
        whole, ledger=RedisLedger(redis), clock=clock, signature=Signature("web1", "v1"), mode=ON_THE_LOOP
    )


class HideRecipeJob(Job):
    encrypt = True

    def perform(self, secret: dict[str, str]) -> None: ...


@dataclass
class Known:
    """A schedule as the model has it: `declared` is its timing and since when; every `minutes` it is due."""

    minutes: int
    version: int
    incarnation: int


@dataclass
class Model:
    """What must happen: at each look of a clock, what was due since its last one runs, unless it was edited."""

    stored: dict[str, Known] = field(default_factory=dict)
    seen: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    paused_since: dict[str, datetime] = field(default_factory=dict)
    ran: set[tuple[str, int]] = field(default_factory=set)

    def look(self, now: datetime) -> None:
        for name in [name for name in self.seen if name not in self.stored]:
            del self.seen[name]
        for name, known in self.stored.items():
            incarnation, decided = self.seen.get(name, (0, now))
            if incarnation == known.incarnation:
                self.ran |= {(name, to_ms(at)) for at in _due(known.minutes, decided, now) if self._runs(name, at)}
            self.seen[name] = known.incarnation, now

    def _runs(self, name: str, at: datetime) -> bool:
        return name not in self.paused_since or at < self.paused_since[name]


def fields(job: api.FoundJob) -> Any:
    """The part of a payload that names the run."""
    return job.payload["clock"]


def _due(minutes: int, after: datetime, until: datetime) -> Iterator[datetime]:
    at = after.replace(second=0)
    while (at := at + timedelta(minutes=1)) <= until:
        if at.minute % minutes == 0:
            yield at


def change_at_random(dice: random.Random, model: Model, writers: list[api.Schedules], now: datetime) -> None:
    name, writer = dice.choice("ab"), dice.choice(writers)
    known, what = model.stored.get(name), dice.choice(["put", "put", "edit_args", "stale", "delete", "pause"])
    minutes = dice.choice([1, 2, 3])
    fields: Any = {"job": FetchNewsJob, "cron": f"*/{minutes} * * * *", "args": [1], "catch_up": "all"}
    if what == "put" or (what == "edit_args" and known is None):
        made = writer.put(name, **fields, version=known.version if known else 0)
        is_same = known is not None and known.minutes == minutes
        model.stored[name] = Known(minutes, made, known.incarnation if known and is_same else made)
    elif what == "edit_args" and known:
        fields |= {"cron": f"*/{known.minutes} * * * *", "args": [dice.randrange(9)]}
        known.version = writer.put(name, **fields, version=known.version)
    elif what == "stale":
        with pytest.raises(ScheduleConflict):
            writer.put(name, **fields, version=(known.version if known else 0) + 1)
    elif what == "delete":
        assert writer.delete(name) is (known is not None)
        model.stored.pop(name, None)
    elif known and what == "pause" and name not in model.paused_since and name in model.seen:
        api.Events().pause(name)
        model.paused_since[name] = now


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_clock_runs_what_the_model_runs(
    redis: Redis, timetable: Timetable, fake_clock: FakeClock, seed: int
) -> None:
    """Two writers create, edit, delete and pause; clocks restart, and are down while schedules change."""
    dice, model = random.Random(seed), Model()  # noqa: S311  # a failure must be repeatable
    writers = [api.Schedules(redis=redis, by=name) for name in ("ana", "ben")]
    ticker: Ticker | None = None
    for _ in range(STEPS):
        fake_clock.advance(HALF_MINUTE)
        if dice.random() < 0.2:
            change_at_random(dice, model, writers, fake_clock.now())
        if dice.random() < 0.1:
            ticker = None if ticker else new_ticker(redis, timetable, fake_clock)
        if ticker:
            ticker.tick()
            model.look(fake_clock.now())

    histories = {name: api.Events(timetable).history(name, 1000) for name in "ab"}
    pushed = {(fields(job)["event"], fields(job)["due"]) for job in api.Queue("default")}
    assert pushed == model.ran
    assert len(list(api.Queue("default"))) == len(pushed)
    assert all(record["decision"] != "error" for records in histories.values() for record in records)


def test_a_new_schedule_runs_first_when_its_period_has_passed(
    redis: Redis, timetable: Timetable, fake_clock: FakeClock
) -> None:
    ticker = new_ticker(redis, timetable, fake_clock)
    ticker.tick()

    api.Schedules().put("feed", job=FetchNewsJob, every=timedelta(minutes=10), args=["sport"])
    runs = []
    for _ in range(45):
        fake_clock.advance(HALF_MINUTE)
        ticker.tick()
        runs.append(redis.llen("queue:default"))

    assert [runs.index(1), runs.index(2)] == [20, 40]


def test_a_writer_with_an_old_version_is_refused_also_after_a_deletion(redis: Redis) -> None:
    schedules = api.Schedules()
    first = schedules.put("feed", job="FetchNewsJob", cron="0 6 * * *", args=[1], version=0)
    second = schedules.put("feed", job="FetchNewsJob", cron="0 7 * * *", args=[1], version=first)

    with pytest.raises(ScheduleConflict, match=f"'feed' has version {second}, and version {first} was expected"):
        schedules.put("feed", job="FetchNewsJob", cron="0 8 * * *", args=[1], version=first)
    schedules.delete("feed", version=second)
    with pytest.raises(ScheduleConflict, match="does not exist, and version"):
        schedules.delete("feed", version=second)
    again = schedules.put("feed", job="FetchNewsJob", cron="0 6 * * *", args=[1], version=0)

    assert again > second
    assert schedules.get("feed") == api.Schedule("feed", again, schedules.stored()[0].fields)
    assert [entry.change.what for entry in changes(redis, 9)] == [
        "put_schedule",
        "delete_schedule",
        "put_schedule",
        "put_schedule",
    ]


def test_a_preview_shows_the_change_and_the_next_runs_and_changes_nothing(
    redis: Redis, fake_clock: FakeClock
) -> None:
    schedules = api.Schedules()
    schedules.put("feed", job=FetchNewsJob, cron="0 6 * * *", args=[1], tz="Europe/Berlin")

    change = schedules.preview("feed", job=FetchNewsJob, cron="0 8 * * *", args=[1], tz="Europe/Berlin")

    assert (change.before, change.after, change.restarts) == ({"cron": "0 6 * * *"}, {"cron": "0 8 * * *"}, True)
    assert [str(at) for at in change.next_runs[:2]] == ["2026-11-24 07:00:00+00:00", "2026-11-25 07:00:00+00:00"]
    assert len(change.next_runs) == 10
    assert schedules.stored()[0].fields["cron"] == "0 6 * * *"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cron": "0 25 * * *"}, "'x': .*25"),
        ({"cron": "0 6 * * *", "tz": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        (
            {"cron": "0 6 * * *", "job": "FetchNewJob"},
            "named 'FetchNewJob'; did you mean 'FetchNewsJob'",
        ),
        ({"cron": "0 6 * * *", "args": []}, "argument 1, topic, is missing"),
        ({"cron": "0 6 * * *", "every": "1 day"}, "give one of every, cron"),
        ({"crom": "0 6 * * *"}, "unknown field 'crom'; did you mean 'cron'"),
        ({"every": 3600, "until": "soon"}, "'x': until is 'soon'; use a datetime"),
        ({"every": 3600, "until": HALF_MINUTE}, "'x': until is .*; pass a datetime or a text"),
        ({}, "give one of every, cron"),
        ({"cron": "0 6 * * *", "tz": ""}, "'x': tz is empty; give a value, or leave it out"),
        ({"every": 3600, "at": ""}, "'x': at is empty"),
        ({"every": 3600, "queue": ""}, "'x': queue is empty"),
        ({"cron": "0 6 * * *", "tz": ZoneInfo("UTC")}, "'x': tz is .*UTC.*; pass it as text"),
        ({"every": 3600, "args": "abc"}, "'x': args is 'abc'; it must be a list"),
        ({"every": 3600, "job": FetchNewsJob.set(queue="low")}, "pass the class, and its queue as queue="),
        ({"every": 3600, "version": True}, "'x': version is True; it must be a whole number"),
        ({"every": 3600, "version": 10**5000}, "'x': version is <int>"),
    ],
)
def test_an_invalid_schedule_is_refused_with_what_is_wrong(redis: Redis, fields: Any, text: str) -> None:
    with pytest.raises(DeclarationError, match=text):
        api.Schedules().put("x", **{"job": "FetchNewsJob", "args": [1], **fields})

    assert api.Schedules().stored() == []


@pytest.mark.parametrize("name", ["", " ", "a\udcff", None])
def test_a_schedule_without_a_valid_name_is_neither_read_nor_deleted(redis: Redis, name: Any) -> None:
    schedules = api.Schedules()
    schedules.put("feed", job="FetchNewsJob", every=3600, args=[1])
    schedules.delete("feed")

    with pytest.raises(DeclarationError, match="the name of the schedule is"):
        schedules.delete(name)
    with pytest.raises(DeclarationError, match="the name of the schedule is"):
        schedules.get(name)
    assert schedules.put("feed", job="FetchNewsJob", every=3600, args=[1]) == 2  # no version is used again


def test_empty_fields_of_a_stored_schedule_count_as_missing(redis: Redis, tmp_path: Path) -> None:
    stored = {"morning": '{"cron": "0 6 * * *", "tz": ""}', "feed": '{"every": 3600, "at": ""}'}
    for name, timing in stored.items():
        redis.hset("clock:schedules", name, f'1 1\n{timing}\n{{"job": "FetchNewsJob", "args": [1], "queue": ""}}')
    path = tmp_path / "clock.py"
    path.write_text("from clock import configure, every\nconfigure(tz='Asia/Tokyo')\nevery().day.do(print)\n")

    known = with_rows(with_schedules(load(path), redis)).by_name

    assert str(known["morning"].zone) == "UTC"
    assert next_runs(known["feed"], NOW)[0] == NOW.replace(microsecond=0) + timedelta(hours=1)


def write_as_another_program(redis: Redis, name: str, fields: dict[str, Any]) -> None:
    stored = {"job": "FetchNewsJob", "args": [1], "every": "1 day", "at": "06:00", **fields}
    redis.hset("clock:schedules", name, f"1 1\n{{}}\n{json.dumps(stored)}")


OF_THE_CLOCK_FILE: Sequence[dict[str, Any]] = [
    {"except_on": "2026-11-25"},
    {"except_on": ["2026-11-25", "DE-BY"], "otherwise": "next"},
    {"except_on": [date(2026, 11, 25)]},
    {"except_on": {date(2026, 11, 25), "2026-12-24"}},
    {"tags": ["a", "b"]},
    {"tags": {"a", "b"}},
    {"spread": "1 hour", "salt": "s"},
    {"gap": "skip", "fold": "both"},
]


@pytest.mark.parametrize("fields", OF_THE_CLOCK_FILE)
def test_a_schedule_has_the_fields_of_the_clock_file_in_each_reader(
    redis: Redis, timetable: Timetable, fields: Any
) -> None:
    schedules = api.Schedules()
    schedules.put("feed", job="FetchNewsJob", args=[1], every="1 day", at="06:00", **fields)

    [stored] = schedules.stored()
    of_clock = with_stored_events(timetable, redis).by_name["feed"]
    of_put = schedules.event("feed", **stored.fields)

    assert next_runs(of_clock, NOW) == next_runs(of_put, NOW)
    assert of_clock.tags == of_put.tags == set(fields.get("tags", ()))
    assert (NOW.replace(day=25, hour=6, minute=0, second=0) in next_runs(of_put, NOW)) is (
        "except_on" not in fields and "spread" not in fields
    )
    assert list(stored_schedules(redis, timetable)) == []
    assert not schedules.preview("feed", **stored.fields).restarts


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tagz": ["a"]}, "unknown field 'tagz'; did you mean 'tags'"),
        ({"enabled": False}, "unknown field 'enabled'; the fields are cron, rrule, sun,"),
        ({"name": "other"}, "unknown field 'name'"),
        ({"attributes": {}}, "unknown field 'attributes'"),
        ({"was": "old"}, "unknown field 'was'"),
        ({"tags": "a"}, "tags is 'a'; it must be a list of tags"),
        ({"tags": [[1]]}, "tags is [[1]]; it must be a list of tags"),
        ({"except_on": 7}, "except_on is 7; it must be"),
        ({"gap": "no"}, "gap is 'no'; it must be"),
        ({"otherwise": "next"}, "otherwise needs except_on"),
        ({"job": 7}, "job is 7; it must be the name of a job class"),
        ({"job": None}, "job is None; it must be the name of a job class"),
    ],
)
def test_each_reader_refuses_a_schedule_of_another_program_with_the_same_sentence(
    redis: Redis, timetable: Timetable, fields: dict[str, Any], text: str
) -> None:
    write_as_another_program(redis, "odd", fields)
    write_as_another_program(redis, "feed", {})

    [stored] = [one for one in api.Schedules().stored() if one.name == "odd"]
    [source] = with_schedules(timetable, redis).synced
    of_clock = read_rows(source, source.load(), timetable.settings)
    [of_check] = stored_schedules(redis, timetable)
    with pytest.raises(DeclarationError) as of_put:
        event_of("odd", stored.fields)

    assert [event.name for event in of_clock.events] == ["feed"]
    assert f"'odd': {text}" in str(of_put.value)
    assert [str(error) for error in of_clock.errors] == [f"schedule in Redis: {of_put.value}"]
    assert of_check.text == f"this schedule in Redis would never run: {of_put.value}"


def test_without_a_zone_a_schedule_is_in_utc(redis: Redis) -> None:
    api.Schedules().put("morning", job="FetchNewsJob", cron="0 6 * * *", args=[1], tz=None)  # type: ignore[arg-type]

    assert api.Schedules().stored()[0].fields["tz"] == "UTC"


def test_a_job_that_encrypts_its_argument_is_refused(redis: Redis) -> None:
    with pytest.raises(DeclarationError, match="HideRecipeJob encrypts its last argument"):
        api.Schedules(redis=redis).put("hidden", every=60, job=HideRecipeJob, args=[{"ssn": "078"}])

    assert redis.exists("clock:schedules") == 0


def test_the_name_of_an_event_in_the_clock_file_is_refused(redis: Redis) -> None:
    timetable_changes.note(redis, "v1", "web1", {"nightly": "every day"}, {})

    with pytest.raises(DeclarationError, match="the clock file declares an event 'nightly'"):
        api.Schedules().put("nightly", job="FetchNewsJob", cron="0 6 * * *", args=[1])


def test_an_invalid_entry_in_redis_hides_no_other_schedule(redis: Redis) -> None:
    api.Schedules().put("feed", job="FetchNewsJob", cron="0 6 * * *", args=[1])
    redis.hset("clock:schedules", mapping={"bad": "nonsense", "worse": "1 1\n[]\n{}"})

    assert [one.name for one in api.Schedules().stored()] == ["feed"]


def test_a_clock_reads_unchanged_schedules_once_a_minute_and_changed_ones_at_once(
    redis: Redis, timetable: Timetable, fake_clock: FakeClock
) -> None:
    stored, loads = api.Schedules(), 0
    whole = with_schedules(timetable, redis)
    [source] = whole.synced

    def load() -> Iterable[object]:
        nonlocal loads
        loads += 1
        return source.load()

    whole = replace(whole, synced=[replace(source, load=load)])
    ledger, signature = RedisLedger(redis), Signature("web1", "v1")
    ticker = Ticker(whole, ledger=ledger, clock=fake_clock, signature=signature, mode=ON_THE_LOOP)

    def loads_in(seconds: int) -> int:
        before = loads
        for _ in range(seconds):
            fake_clock.advance(timedelta(seconds=1))
            ticker.tick()
        return loads - before

    stored.put("a", job=FetchNewsJob, every="1 hour", args=[1])
    loads_in(6)
    assert loads_in(20) == 0
    stored.put("a", job=FetchNewsJob, every="2 hours", args=[1])
    assert loads_in(6) == 1
    stored.delete("a")
    assert loads_in(6) == 1
    assert loads_in(65) == 1


@pytest.mark.parametrize("timing", [{"cron": "0 6 * * *"}, {"every": "1 day", "at": "06:00"}])
@pytest.mark.parametrize(
    "until",
    [
        "2026-11-27",
        "2026-11-26 06:00",
        datetime(2026, 11, 27),  # in the zone of the schedule
        datetime(2026, 11, 26, 6, 0, tzinfo=ZoneInfo("Europe/Berlin")),
    ],
)
def test_a_schedule_ends_at_its_until(
    redis: Redis, timetable: Timetable, fake_clock: FakeClock, timing: Any, until: Any
) -> None:
    fields = {"tz": "Europe/Berlin", "args": [1], "until": until, **timing}
    change = api.Schedules().preview("feed", job="FetchNewsJob", **fields)

    api.Schedules().put("feed", job="FetchNewsJob", **fields)

    whole = with_stored_events(timetable, redis)
    assert [f"{at.astimezone(ZoneInfo('Europe/Berlin')):%d %H:%M}" for at in change.next_runs] == RUNS
    assert next_runs(whole.by_name["feed"], NOW) == change.next_runs


def test_a_new_until_starts_a_schedule_again(redis: Redis) -> None:
    schedules = api.Schedules()
    fields: Any = {"cron": "0 6 * * *", "args": [1]}
    schedules.put("feed", job="FetchNewsJob", **fields, until="2026-12-01")

    assert not schedules.preview("feed", job="FetchNewsJob", **fields, until="2026-12-01").restarts
    assert schedules.preview("feed", job="FetchNewsJob", **fields, until="2026-12-02").restarts


def test_durations_are_stored_as_seconds_also_those_of_a_monitor(redis: Redis) -> None:
    monitor = {"slug": "feed", "grace": timedelta(minutes=2)}

    api.Schedules().put("feed", job="FetchNewsJob", every=timedelta(hours=1), args=(1,), monitor=monitor)

    [stored] = api.Schedules().stored()
    assert stored.fields["every"] == 3600
    assert stored.fields["monitor"] == {"slug": "feed", "grace": 120}
    assert stored.fields["args"] == [1]
