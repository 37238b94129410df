"""Jobs that the worker's tests run."""

from clock import Job

ran: list[tuple[str, object]] = []


class NoteThingJob(Job):
    def perform(self, thing: object = None) -> None:
        ran.append((self.jid, thing))


class BreakThingJob(Job):
    def perform(self) -> None:
        raise RuntimeError("boom ß")


class BreakTwiceJob(BreakThingJob):
    retry = 2


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
