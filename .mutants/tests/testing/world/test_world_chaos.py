"""Whatever goes wrong in a world, each due instant is enqueued once, and no job is lost."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clock import testing
from tests.examples import examples
from tests.testing.jobs import NoteJob

START = datetime(2026, 10, 31, 22, tzinfo=UTC)
CLOCK_FILE = """
from datetime import timedelta
from clock import DUE_AT, configure, cron
from tests.testing.jobs import NoteJob
configure(tz="America/New_York")
cron("7 * * * *").catch_up("all", within=timedelta(days=3)).do(NoteJob, DUE_AT).named("hourly")
"""
HOURS = 20


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong `at` so many minutes, for so many."""

    what: str
    at: int
    minutes: int


troubles = st.lists(
    st.builds(
        Trouble,
        st.sampled_from(["redis", "clock", "deploy"]),
        st.integers(1, (HOURS - 6) * 60),  # the clock has been started
        st.integers(1, 200),
    ),
    max_size=5,
)
deaths = st.lists(st.integers(0, (HOURS - 6) * 60), max_size=2)  # a third death would be laid to the job


@pytest.mark.slow
@given(troubles=troubles, deaths=deaths, minutes=st.integers(0, 40), slots=st.integers(1, 3))
@example(troubles=[Trouble("redis", 401, 86), Trouble("deploy", 429, 1)], deaths=[], minutes=0, slots=2)
@settings(max_examples=examples(10))
def test_each_due_instant_is_enqueued_once_and_done(
    troubles: list[Trouble], deaths: list[int], minutes: int, slots: int
) -> None:
    NoteJob.FAILURES = 0
    timetable = testing.loads(CLOCK_FILE)
    lasts = {NoteJob: timedelta(minutes=minutes)}
    with testing.world(START, file=timetable, workers=3, slots=slots, durations=lasts) as w:
        for trouble in troubles:
            begin = START + timedelta(minutes=trouble.at)
            end = begin + timedelta(minutes=trouble.minutes)
            if trouble.what == "redis":
                w.redis_down(begin, end)
            elif trouble.what == "clock":
                w.at(begin, w.kill_clock)
                w.at(end, w.start_clock)
            else:
                w.at(begin, w.start_clock, testing.loads(CLOCK_FILE))
        for at in deaths:
            w.at(START + timedelta(minutes=at), w.kill_worker)
        w.at(START + timedelta(hours=HOURS - 2), w.start_clock)
        w.run(hours=HOURS + 6)

        jids: dict[str, set[str]] = {}
        for run in w.runs:
            jids.setdefault(str(run.args[0]), set()).add(run.jid)
        done = {str(run.args[0]) for run in w.ran(NoteJob, "done")}
        first = START + timedelta(minutes=7)
        due = {(first + timedelta(hours=hour)).isoformat() for hour in range(HOURS + 6)}
        assert done == due, "each is done"
        assert all(len(found) == 1 for found in jids.values()), "each was enqueued once"
        assert w.waiting("dead") == w.waiting("retry") == w.waiting("default") == []
