"""Twenty jobs that may not run twice, each with its twin that may. The state they change is a `Place`'s."""

from __future__ import annotations

import os
import smtplib
import sqlite3
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import httpx
from sqlalchemy import create_engine, text

from clock import Job
from clock.store.server import connection
from clock.testing import effect


class Place:
    """Where the jobs of the zoo work; a test says where each thing is."""

    folder: ClassVar[Path]
    http: ClassVar[str]
    smtp_port: ClassVar[int]
    charges: ClassVar[list[str]] = []


def database(*, autocommit: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(Place.folder / "zoo.sqlite3", isolation_level=None if autocommit else "DEFERRED")
    db.execute("PRAGMA synchronous = OFF")  # power is not cut here
    return db


def file(name: str) -> Path:
    return Path(Place.folder / name)


@effect
def charge(key: str) -> None:
    """A payment service: a key that it knows is not charged again."""
    if key not in Place.charges:
        Place.charges.append(key)


@effect
def charge_without_key(customer: str) -> None:
    """A payment service that charges whenever it is asked."""
    Place.charges.append(customer)


def mail(message_id: str) -> None:
    message = EmailMessage()
    message["Message-ID"], message["From"], message["To"] = message_id, "a@example.org", "b@example.org"
    with smtplib.SMTP("127.0.0.1", Place.smtp_port) as server:
        server.send_message(message)


def post(key: str) -> None:
    request = urllib.request.Request(f"{Place.http}/orders/{key}", b"{}", method="POST")  # noqa: S310  # our own server
    urllib.request.urlopen(request).close()  # noqa: S310  # the same


class RememberChildJob(Job):
    def perform(self, what: str) -> None:
        """What the parents of the zoo push."""


class CountVisitJob(Job):
    def perform(self) -> None:
        with database() as db:
            db.execute("UPDATE counters SET value = value + 1")


class CountVisitOnceJob(Job):
    def perform(self) -> None:
        with database() as db:
            if db.execute("INSERT OR IGNORE INTO done VALUES (?)", [self.jid]).rowcount:
                db.execute("UPDATE counters SET value = value + 1")


class AddRowJob(Job):
    def perform(self) -> None:
        with database() as db:
            db.execute("INSERT INTO rows VALUES ('order 1')")


class AddRowByKeyJob(Job):
    def perform(self) -> None:
        with database() as db:
            db.execute(
                "INSERT INTO rows SELECT 'order 1' WHERE NOT EXISTS (SELECT 1 FROM rows WHERE what = 'order 1')"
            )


class MoveMoneyInTwoCommitsJob(Job):
    def perform(self) -> None:
        db = database()
        if db.execute("INSERT OR IGNORE INTO done VALUES (?)", [self.jid]).rowcount:
            db.execute("UPDATE counters SET value = value - 10")
            db.commit()
            db.execute("INSERT INTO rows VALUES ('10 more')")
            db.commit()
        db.close()


class MoveMoneyInOneCommitJob(Job):
    def perform(self) -> None:
        with database() as db:
            if db.execute("INSERT OR IGNORE INTO done VALUES (?)", [self.jid]).rowcount:
                db.execute("UPDATE counters SET value = value - 10")
                db.execute("INSERT INTO rows VALUES ('10 more')")


class ChargeThenNoteJob(Job):
    def perform(self) -> None:
        with database() as db:
            if not db.execute("SELECT 1 FROM done WHERE jid = ?", [self.jid]).fetchone():
                charge_without_key("Ada")
                db.execute("INSERT INTO done VALUES (?)", [self.jid])


class ChargeByKeyThenNoteJob(Job):
    def perform(self) -> None:
        with database() as db:
            if not db.execute("SELECT 1 FROM done WHERE jid = ?", [self.jid]).fetchone():
                charge(self.jid)
                db.execute("INSERT INTO done VALUES (?)", [self.jid])


class NoteThenChargeJob(Job):
    def perform(self) -> None:
        with database() as db:
            is_new = db.execute("INSERT OR IGNORE INTO done VALUES (?)", [self.jid]).rowcount
        if is_new:
            charge(self.jid)


class NoteAndChargeWhateverIsNotedJob(Job):
    def perform(self) -> None:
        with database() as db:
            db.execute("INSERT OR IGNORE INTO done VALUES (?)", [self.jid])
        charge(self.jid)


class AppendLineJob(Job):
    def perform(self) -> None:
        with file("log.txt").open("a") as log:
            log.write("one more\n")


class ReplaceWholeFileJob(Job):
    def perform(self) -> None:
        with file("log.tmp").open("w") as log:
            log.write("one more\n")
        file("log.tmp").replace(file("log.txt"))


class RaiseNumberInFileJob(Job):
    def perform(self) -> None:
        number = int(file("number.txt").read_text())
        file("number.txt").write_text(str(number + 1))


class WriteNumberToFileJob(Job):
    def perform(self) -> None:
        file("number.tmp").write_text("8")
        os.replace(file("number.tmp"), file("number.txt"))  # noqa: PTH105  # this door, too


class MoveFileJob(Job):
    def perform(self) -> None:
        file("inbox.txt").rename(file("done.txt"))


class MoveFileIfThereJob(Job):
    def perform(self) -> None:
        if file("inbox.txt").exists():
            file("inbox.txt").rename(file("done.txt"))


class MakeFolderJob(Job):
    def perform(self) -> None:
        file("folder").mkdir()
        file("folder/ready.txt").write_text("ready")


class MakeFolderIfMissingJob(Job):
    def perform(self) -> None:
        file("folder").mkdir(exist_ok=True)
        file("folder/ready.txt").write_text("ready")


class MailByChanceJob(Job):
    def perform(self) -> None:
        mail(make_msgid(domain="example.org"))


class MailByKeyJob(Job):
    def perform(self) -> None:
        mail(f"<{self.jid}@example.org>")


class PostOrderJob(Job):
    def perform(self) -> None:
        post(uuid4().hex)


class PostOrderByKeyJob(Job):
    def perform(self) -> None:
        post(self.jid)


class DeleteOrderJob(Job):
    def perform(self) -> None:
        httpx.delete(f"{Place.http}/orders/7").raise_for_status()


class DeleteOrderIfThereJob(Job):
    def perform(self) -> None:
        answer = httpx.delete(f"{Place.http}/orders/7")
        if answer.status_code != 404:
            answer.raise_for_status()


class CountInRedisJob(Job):
    def perform(self) -> None:
        connection.default().incr("visits")


class CountInRedisOnceJob(Job):
    def perform(self) -> None:
        connection.default().sadd("visits", self.jid)


class PushOntoListJob(Job):
    def perform(self) -> None:
        with connection.default().pipeline() as pipeline:
            pipeline.lpush("recent", "Ada")
            pipeline.ltrim("recent", 0, 9)
            pipeline.execute()


class PutIntoSortedSetJob(Job):
    def perform(self) -> None:
        with connection.default().pipeline() as pipeline:
            pipeline.zadd("recent", {"Ada": 1})
            pipeline.zremrangebyrank("recent", 0, -11)
            pipeline.execute()


class PushChildByChanceJob(Job):
    def perform(self) -> None:
        RememberChildJob.perform_async(uuid4().hex)


class PushChildByKeyJob(Job):
    def perform(self) -> None:
        RememberChildJob.perform_async(self.jid)


class NoteThenPushJob(Job):
    def perform(self) -> None:
        with database() as db:
            is_new = db.execute("INSERT OR IGNORE INTO done VALUES (?)", [self.jid]).rowcount
        if is_new:
            RememberChildJob.perform_async("after")


class PushThenNoteJob(Job):
    def perform(self) -> None:
        with database() as db:
            if not db.execute("SELECT 1 FROM done WHERE jid = ?", [self.jid]).fetchone():
                RememberChildJob.perform_async("before")
                db.execute("INSERT INTO done VALUES (?)", [self.jid])


class AutocommitTwiceJob(Job):
    def perform(self) -> None:
        db = database(autocommit=True)
        if not db.execute("SELECT 1 FROM rows WHERE what = 'shipment'").fetchone():
            db.execute("UPDATE counters SET value = value - 1")
            db.execute("INSERT INTO rows VALUES ('shipment')")
        db.close()


class BeginAndCommitJob(Job):
    def perform(self) -> None:
        db = database(autocommit=True)
        db.execute("BEGIN IMMEDIATE")
        if not db.execute("SELECT 1 FROM rows WHERE what = 'shipment'").fetchone():
            db.execute("UPDATE counters SET value = value - 1")
            db.execute("INSERT INTO rows VALUES ('shipment')")
        db.execute("COMMIT")
        db.close()


class SessionTwiceJob(Job):
    def perform(self) -> None:
        engine = create_engine(f"sqlite:///{Place.folder / 'zoo.sqlite3'}")
        with engine.begin() as session:
            known = session.execute(text("SELECT count(*) FROM rows WHERE what = 'parent'")).scalar()
            if not known:
                session.execute(text("INSERT INTO rows VALUES ('parent')"))
        if not known:
            with engine.begin() as session:
                session.execute(text("INSERT INTO rows VALUES ('child')"))
        engine.dispose()


class SessionOnceJob(Job):
    def perform(self) -> None:
        engine = create_engine(f"sqlite:///{Place.folder / 'zoo.sqlite3'}")
        with engine.begin() as session:
            if not session.execute(text("SELECT count(*) FROM rows WHERE what = 'parent'")).scalar():
                session.execute(text("INSERT INTO rows VALUES ('parent')"))
                session.execute(text("INSERT INTO rows VALUES ('child')"))
        engine.dispose()


class SwallowLostAnswerJob(Job):
    def perform(self) -> None:
        try:
            charge(self.jid)
        except ConnectionError:
            file("failed.txt").write_text("no money")


class LetLostAnswerThroughJob(Job):
    def perform(self) -> None:
        charge(self.jid)


class ReserveThenDropOldJob(Job):
    def perform(self) -> None:
        file("new.txt").write_text(file("inbox.txt").read_text())
        file("inbox.txt").unlink()


class ReserveAndDropIfThereJob(Job):
    def perform(self) -> None:
        if file("inbox.txt").exists():
            file("new.txt").write_text(file("inbox.txt").read_text())
            file("inbox.txt").unlink()


@dataclass(frozen=True, slots=True)
class Pair:
    """A job with a hole, and its twin without."""

    hole: type[Job]
    fixed: type[Job]


ZOO = [
    Pair(CountVisitJob, CountVisitOnceJob),
    Pair(AddRowJob, AddRowByKeyJob),
    Pair(MoveMoneyInTwoCommitsJob, MoveMoneyInOneCommitJob),
    Pair(ChargeThenNoteJob, ChargeByKeyThenNoteJob),
    Pair(NoteThenChargeJob, NoteAndChargeWhateverIsNotedJob),
    Pair(AppendLineJob, ReplaceWholeFileJob),
    Pair(RaiseNumberInFileJob, WriteNumberToFileJob),
    Pair(MoveFileJob, MoveFileIfThereJob),
    Pair(MakeFolderJob, MakeFolderIfMissingJob),
    Pair(MailByChanceJob, MailByKeyJob),
    Pair(PostOrderJob, PostOrderByKeyJob),
    Pair(DeleteOrderJob, DeleteOrderIfThereJob),
    Pair(CountInRedisJob, CountInRedisOnceJob),
    Pair(PushOntoListJob, PutIntoSortedSetJob),
    Pair(PushChildByChanceJob, PushChildByKeyJob),
    Pair(NoteThenPushJob, PushThenNoteJob),
    Pair(AutocommitTwiceJob, BeginAndCommitJob),
    Pair(SessionTwiceJob, SessionOnceJob),
    Pair(SwallowLostAnswerJob, LetLostAnswerThroughJob),
    Pair(ReserveThenDropOldJob, ReserveAndDropIfThereJob),
]
