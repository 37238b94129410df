"""Jobs that the worker's tests run."""

import asyncio
import threading

from clock import Job
from tests.patience import PATIENCE_SECONDS

ran: list[tuple[str, object]] = []
let_go = threading.Event()  # ends the jobs that are held
_begun = threading.Condition()


def note(jid: str, thing: object) -> None:
    with _begun:
        ran.append((jid, thing))
        _begun.notify_all()


def wait_until_begun(count: int) -> bool:
    """Wait until so many jobs have begun; False: they did not."""
    with _begun:
        return _begun.wait_for(lambda: len(ran) >= count, PATIENCE_SECONDS)


class HoldThingJob(Job):
    def perform(self, thing: object = None) -> None:
        note(self.jid, thing)
        let_go.wait(PATIENCE_SECONDS)


class AwaitThingJob(Job):
    async def perform(self, thing: object = None) -> None:
        note(self.jid, thing)
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            await asyncio.sleep(0)
            note(self.jid, "finally")


class HandleThingJob(Job):
    """Only a base for others: it has no perform."""


class NoteThingJob(Job):
    def perform(self, thing: object = None) -> None:
        note(self.jid, thing)


class BreakThingJob(Job):
    def perform(self) -> None:
        raise RuntimeError("boom ß")


class EmptyThingJob(Job):
    retry = 1

    def perform(self, things: list[object]) -> None:
        things.clear()
        raise RuntimeError("boom")


class BreakTwiceJob(BreakThingJob):
    retry = 2


class BreakTogetherJob(Job):
    async def perform(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._fail("no such learner"))

    async def _fail(self, why: str) -> None:
        raise ValueError(why)


class BreakOnceForAllJob(BreakThingJob):
    retry = False


class BreakForgottenJob(BreakThingJob):
    retry = 0
    dead = False


class BreakShownJob(BreakThingJob):
    backtrace = True


class ExitThingJob(Job):
    def perform(self) -> None:
        raise SystemExit(3)


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class BreakOddlyJob(Job):
    def perform(self, unprintable: bool) -> None:
        raise UnprintableError if unprintable else FileNotFoundError("caf\udce9")
