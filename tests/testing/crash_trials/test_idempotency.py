"""Jobs are crashed at every step: each hole of the zoo is found, and its twin is not accused."""

import asyncio
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from os import rename
from pathlib import Path
from sqlite3 import connect

import pytest
from aiosmtpd.controller import Controller
from redis import Redis

from clock import Batch, Job, client_middleware, testing
from clock.store.server import connection
from clock.testing.crash_trials.effects import effect
from db.database import create_tables, transaction
from jobs.count_open_assignments_job import CountOpenAssignmentsJob
from jobs.delete_old_reminders_job import DeleteOldRemindersJob
from jobs.delivery import outbox
from jobs.send_all_assignment_reminders_job import SendAllAssignmentRemindersJob
from jobs.send_assignment_reminder_job import SendAssignmentReminderJob
from tests.testing.orders import Orders, serving_orders
from tests.testing.zoo import ZOO, Pair, Place, charge, database, file

pytestmark = pytest.mark.slow


class Inbox:
    """A mail server's handler that keeps the Message-IDs."""

    ids: set[str] = set()  # noqa: RUF012  # of the one server of this module

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802  # aiosmtpd's
        content = str(envelope.content, "utf-8")  # type: ignore[attr-defined]  # aiosmtpd's
        self.ids.add(next(line for line in content.splitlines() if line.startswith("Message-ID")))
        return "250 OK"


@pytest.fixture(scope="module")
def servers() -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        Place.smtp_port = free.getsockname()[1]
    smtp = Controller(Inbox(), hostname="127.0.0.1", port=Place.smtp_port)
    smtp.start()
    with serving_orders() as Place.http:
        yield
    smtp.stop()


@pytest.fixture
def place(tmp_path: Path, redis: Redis, servers: None) -> Redis:
    Place.folder = tmp_path / "zoo"
    return redis


def fresh() -> None:
    """The zoo as it was."""
    shutil.rmtree(Place.folder, ignore_errors=True)
    Place.folder.mkdir()
    with database() as db:
        db.executescript("CREATE TABLE counters (value); CREATE TABLE rows (what); CREATE TABLE done (jid UNIQUE)")
        db.execute("INSERT INTO counters VALUES (100)")
    db.close()
    file("inbox.txt").write_text("a letter")
    file("number.txt").write_text("7")
    Place.charges.clear()
    Orders.known.clear()
    Orders.known.add("/orders/7")
    Inbox.ids.clear()


def snapshot(redis: Redis) -> object:
    """What counts of the zoo."""
    with database() as db:
        tables = [sorted(db.execute(f"SELECT * FROM {table}")) for table in ("counters", "rows", "done")]  # noqa: S608
    db.close()
    files = {str(path.relative_to(Place.folder)): path.read_text() for path in Place.folder.rglob("*.txt")}
    values: list[object] = [redis.get("visits") if redis.type("visits") == b"string" else redis.smembers("visits")]
    values += [redis.lrange("recent", 0, -1) if redis.type("recent") == b"list" else redis.zrange("recent", 0, -1)]
    return tables, files, list(Place.charges), set(Orders.known), set(Inbox.ids), values


def try_out(job: type[Job], redis: Redis) -> None:
    def begin() -> None:
        fresh()
        redis.delete("visits", "recent")

    testing.assert_idempotent(job, snapshot=lambda: snapshot(redis), fresh=begin)


@pytest.mark.parametrize("pair", ZOO, ids=lambda pair: pair.hole.__name__)
def test_a_hole_is_found_and_named_by_its_lines(pair: Pair, place: Redis) -> None:
    with pytest.raises(AssertionError, match=r"is unsafe (between|if the answer is lost at) .*zoo\.py:\d+"):
        try_out(pair.hole, place)


@pytest.mark.parametrize("pair", ZOO, ids=lambda pair: pair.fixed.__name__)
def test_its_twin_is_not_accused(pair: Pair, place: Redis) -> None:
    try_out(pair.fixed, place)


def test_the_zoo_has_twenty_pairs() -> None:
    assert len({pair.hole for pair in ZOO} | {pair.fixed for pair in ZOO}) == 40


class ChargeTwiceJob(Job):
    def perform(self) -> None:
        charge("first")
        Place.charges.append("unseen")
        charge("second")


class ChargeEachJob(Job):
    def perform(self, names: list[str]) -> None:
        while names:
            charge(names.pop())


def test_a_job_that_uses_up_its_arguments_has_them_again_in_the_next_run(place: Redis) -> None:
    effects = testing.assert_idempotent(
        ChargeEachJob, ["a", "b"], snapshot=lambda: list(Place.charges), fresh=Place.charges.clear
    )

    assert len(effects) == 2


def test_the_effects_are_told_in_their_order_with_their_lines(place: Redis) -> None:
    class ChargeThreeTimesJob(Job):
        def perform(self) -> None:
            charge("first")
            charge("second")
            charge("third")

    effects = testing.assert_idempotent(
        ChargeThreeTimesJob, snapshot=lambda: list(Place.charges), fresh=Place.charges.clear
    )

    lines = [int(found.place.rpartition(":")[2]) for found in effects]
    assert lines == [lines[0], lines[0] + 1, lines[0] + 2]
    assert "test_idempotency.py" in effects[0].place
    assert {(found.kind, found.what) for found in effects} == {("effect", "charge")}


def test_the_pair_of_lines_is_named_between_which_a_job_is_unsafe(place: Redis) -> None:
    with pytest.raises(AssertionError) as raised:
        testing.assert_idempotent(ChargeTwiceJob, snapshot=lambda: list(Place.charges), fresh=Place.charges.clear)

    assert "is unsafe between " in str(raised.value)
    assert str(raised.value).count("(effect: charge)") == 2


def test_a_job_that_fails_by_itself_is_told_to(place: Redis) -> None:
    class FailAtOnceJob(Job):
        def perform(self) -> None:
            raise RuntimeError("broken")

    with pytest.raises(AssertionError, match="fails by itself: RuntimeError: broken"):
        testing.assert_idempotent(FailAtOnceJob, snapshot=lambda: None)


class OpenBatchJob(Job):
    def perform(self) -> None:
        with Batch():
            pass


def test_a_job_that_opens_a_batch_cannot_be_tried(place: Redis) -> None:
    with pytest.raises(AssertionError, match="fails by itself: JobError: Batch: batches are not supported here"):
        testing.assert_idempotent(OpenBatchJob, snapshot=lambda: None)


def test_without_fresh_a_job_that_changes_something_cannot_be_tried(place: Redis) -> None:
    Place.charges.clear()

    class ChargeOnceJob(Job):
        def perform(self) -> None:
            charge(self.jid)

    with pytest.raises(ValueError, match="pass fresh="):
        testing.assert_idempotent(ChargeOnceJob, snapshot=lambda: list(Place.charges))


class NoteUnseenJob(Job):
    def perform(self) -> None:
        Place.charges.append(self.jid)


def test_a_change_by_means_that_are_not_watched_is_refused(place: Redis) -> None:
    Place.charges.clear()

    with pytest.raises(ValueError, match="NoteUnseenJob changed the snapshot by a function that is not tracked"):
        testing.assert_idempotent(NoteUnseenJob, snapshot=lambda: list(Place.charges), fresh=Place.charges.clear)


class NoteByTakenFunctionsJob(Job):
    def perform(self) -> None:
        db = connect(Place.folder / "zoo.sqlite3")
        with db:
            db.execute("INSERT INTO rows VALUES ('taken')")
        rename(Place.folder / "inbox.txt", Place.folder / "read.txt")  # noqa: PTH104  # as taken out of os


class WriteLinesJob(Job):
    def perform(self) -> None:
        with file("lines.txt").open("w") as out:
            out.writelines(["one\n", "two\n"])
            for _ in range(2):
                out.flush()
            assert Path(out.name) == file("lines.txt")
            out.close()


def test_lines_of_a_file_are_written_when_they_are_flushed(place: Redis) -> None:
    effects = testing.assert_idempotent(WriteLinesJob, snapshot=lambda: snapshot(place), fresh=fresh)

    assert [effect.what for effect in effects] == ["open lines.txt", "write lines.txt"]


class NoteManyRowsJob(Job):
    def perform(self) -> None:
        with database() as db:
            db.executemany("INSERT OR IGNORE INTO done VALUES (?)", [["a"], ["b"]])
            db.cursor().executemany("INSERT OR IGNORE INTO done VALUES (?)", [["c"]])
            db.executescript("DELETE FROM rows; INSERT INTO rows VALUES ('x')")


def test_statements_for_many_rows_and_scripts_of_sqlite_are_effects(place: Redis) -> None:
    effects = testing.assert_idempotent(NoteManyRowsJob, snapshot=lambda: snapshot(place), fresh=fresh)

    assert [effect.what.split()[0] for effect in effects] == ["INSERT", "INSERT", "DELETE"]


taken: list[Callable[..., sqlite3.Connection]] = []


class KeepConnectJob(Job):
    def perform(self) -> None:
        taken.append(sqlite3.connect)


def test_a_connect_that_a_job_has_kept_works_after_the_trial(place: Redis) -> None:
    testing.assert_idempotent(KeepConnectJob, snapshot=lambda: None)

    with closing(taken[0](":memory:")) as db:
        assert db.execute("SELECT 7").fetchone() == (7,)


class ReadByPipelineJob(Job):
    def perform(self) -> None:
        with connection.default().pipeline(transaction=False) as pipeline:
            pipeline.get("visits")
            pipeline.execute()


def test_a_pipeline_that_only_reads_has_no_effect(place: Redis) -> None:
    assert testing.assert_idempotent(ReadByPipelineJob, snapshot=lambda: None) == []


class ChargeInFinallyJob(Job):
    def perform(self) -> None:
        try:
            charge("first")
        finally:
            charge("second")


def test_a_crashed_job_has_no_effect_in_its_finally(place: Redis) -> None:
    effects = testing.assert_idempotent(
        ChargeInFinallyJob, snapshot=lambda: list(Place.charges), fresh=Place.charges.clear
    )

    assert len(effects) == 2


class ChargeOnAThreadJob(Job):
    async def perform(self) -> None:
        await asyncio.to_thread(charge, "first")
        await PushNothingJob.aperform_async()


class PushNothingJob(Job):
    def perform(self) -> None: ...


def test_an_effect_that_no_line_of_the_application_calls_has_no_place(place: Redis) -> None:
    effects = testing.assert_idempotent(
        ChargeOnAThreadJob, snapshot=lambda: list(Place.charges), fresh=Place.charges.clear
    )

    assert str(effects[0]) == "? (effect: charge)"
    assert effects[1].what == "jobs"


class ChargeManyJob(Job):
    def perform(self) -> None:
        for number in range(301):
            charge(str(number))


def test_a_job_of_too_many_effects_is_refused(place: Redis) -> None:
    with pytest.raises(ValueError, match=r"has 301 effects; try it with less data \(300 effects at most\)"):
        testing.assert_idempotent(ChargeManyJob, snapshot=lambda: list(Place.charges), fresh=Place.charges.clear)


def test_a_job_that_client_middleware_stops_cannot_be_tried(place: Redis) -> None:
    stop = client_middleware.add(lambda job, payload, queue: False)
    try:
        with pytest.raises(ValueError, match="client middleware stops PushNothingJob; it cannot be tried"):
            testing.assert_idempotent(PushNothingJob, snapshot=lambda: None)
    finally:
        client_middleware.remove(stop)


def test_functions_that_the_application_has_taken_out_of_their_modules_are_seen(place: Redis) -> None:
    with pytest.raises(AssertionError, match=r"unsafe between .*\(database: COMMIT\)"):
        try_out(NoteByTakenFunctionsJob, place)

    assert connect is sqlite3.connect, "the module has its own back"


def test_outside_of_a_trial_an_effect_is_the_plain_function() -> None:
    done = []

    @effect
    def note(what: str) -> int:
        done.append(what)
        return len(done)

    assert (note("one"), note("two"), done) == (1, 2, ["one", "two"])


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APP_DATABASE", str(tmp_path / "app.sqlite3"))
    monkeypatch.setenv("APP_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.delenv("SMTP_URL", raising=False)
    return tmp_path


def begin_application(folder: Path) -> None:
    """One assignment that is due tomorrow, an old reminder, and no mail."""
    for name in ("app.sqlite3", "app.sqlite3-wal", "app.sqlite3-shm"):
        with suppress(FileNotFoundError):
            (folder / name).unlink()
    shutil.rmtree(folder / "outbox", ignore_errors=True)
    create_tables()
    with transaction() as db:
        db.execute(
            "INSERT INTO assignments VALUES"
            " (1, 'Ada Byron', 'ada@example.org', 'Sums', date('now', '+1 day'), 0, 'UTC')"
        )
        db.execute("INSERT INTO reminders VALUES (1, 'due_in_a_week', '2020-01-01', '2020-01-01')")


def application_state() -> object:
    """The reminders that are noted, and the mails by their Message-ID: a repeated one is the same mail."""
    with transaction() as db:
        reminders = sorted(tuple(row)[:3] for row in db.execute("SELECT * FROM reminders"))
    return reminders, {str(message["Message-ID"]) for message in outbox()}


@pytest.mark.parametrize(
    ("job", "args"),
    [
        (SendAssignmentReminderJob, [1, "due_tomorrow"]),
        (SendAllAssignmentRemindersJob, []),
        (DeleteOldRemindersJob, [90]),
        (CountOpenAssignmentsJob, []),
    ],
)
def test_the_samples_jobs_may_run_twice(job: type[Job], args: list[object], application: Path) -> None:
    effects = testing.assert_idempotent(
        job, *args, snapshot=application_state, fresh=lambda: begin_application(application)
    )

    assert effects or job in (SendAllAssignmentRemindersJob, CountOpenAssignmentsJob)
    assert sqlite3.connect.__module__ != "clock.testing.crash_trials.databases", "the process has its own back"
