"""`clock forecast`: its answer is what a simulated world with the same load does."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from clock import Job
from clock.errors import ConfigurationError
from clock.job.registry import forget
from clock.rehearsal.forecast import Forecast, forecast, load_of
from clock.rehearsal.forecast_text import to_json, to_svg, to_text
from clock.rehearsal.sources import loads
from clock.testing import world
from clock.timetable import Timetable

START = datetime(2026, 11, 24, tzinfo=UTC)
SIX = 'every().day.at("06:00").named("{name}").do({job})\n'


class FastForecastJob(Job):
    def perform(self) -> None: ...


class SlowForecastJob(Job):
    def perform(self) -> None: ...


JOBS = [FastForecastJob, SlowForecastJob]
SECONDS = {"FastForecastJob": 2.0, "SlowForecastJob": 45.0}


@pytest.fixture(autouse=True, scope="module")
def _forgotten() -> Iterator[None]:
    yield
    for job in JOBS:
        forget(job)


def declared(lines: str) -> Timetable:
    head = f"from clock import configure, cron, every\nfrom {__name__} import FastForecastJob, SlowForecastJob\n"
    return loads(head + 'configure(tz="UTC")\n' + lines)


def made(lines: str, *, slots: int = 1, hours: int = 24, **seconds: float) -> Forecast:
    end = START + timedelta(hours=hours)
    return forecast(load_of(declared(lines), START, end, seconds={**SECONDS, **seconds}, default=1.0), slots)


@pytest.mark.parametrize("seed", range(4))
def test_jobs_start_when_they_start_in_a_simulated_world(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  # a failure must be repeatable
    names = [job.wire_name for job in JOBS]
    lines = "".join(
        f"cron('{dice.randrange(60)}-59/{dice.randint(2, 9)} 0-3 * * *').named('e{n}').do({dice.choice(names)})\n"
        for n in range(dice.randint(4, 8))
    )
    slots = dice.randint(1, 3)
    durations = {job: timedelta(seconds=SECONDS[job.wire_name]) for job in JOBS}

    expected = [(start.at, SECONDS_OF(start.run.seconds)) for start in made(lines, slots=slots, hours=5).starts]
    with world(START, file=declared(lines), slots=slots, durations=durations) as simulated:
        simulated.run(hours=5)

    assert sorted(expected) == sorted((run.began.timestamp(), run.job) for run in simulated.runs)
    assert len(expected) > 50


def SECONDS_OF(seconds: float) -> str:  # noqa: N802  # the inverse of SECONDS
    return next(name for name, took in SECONDS.items() if took == seconds)


def test_late_jobs_are_reported_with_the_worst_one() -> None:
    found = made("".join(SIX.format(name=f"e{n}", job="SlowForecastJob") for n in range(4)))

    assert [(one.event, one.late, one.worst.late) for one in found.late] == [
        ("e3", 1, 135),
        ("e2", 1, 90),
        ("e1", 1, 45),
    ]
    [first, *_] = found.busiest
    assert (first.due, first.waiting, first.busy) == (4, 2, 1.0)


def test_a_suggested_spread_shortens_the_waiting_by_what_it_says() -> None:
    lines = "".join(SIX.format(name=f"e{n}", job="SlowForecastJob") for n in range(6))
    before = made(lines)

    spread = {one.event: int(one.spread.total_seconds()) for one in before.suggestions}
    changed = "".join(
        SIX.format(name=f"e{n}", job="SlowForecastJob").replace(
            ".named", f".spread(timedelta(seconds={spread[f'e{n}']})).named" if f"e{n}" in spread else ".named"
        )
        for n in range(6)
    )
    after = made("from datetime import timedelta\n" + changed)

    assert spread
    assert after.waits == before.suggestions[-1].waits
    assert all(first.waits > second.waits for first, second in pairwise(before.suggestions))
    assert after.waits < before.waits / 2


def test_no_suggested_spread_is_longer_than_the_shortest_gap_of_the_event() -> None:
    often = made("every(4).seconds.named('often').do(FastForecastJob)\n", hours=1, FastForecastJob=5.0)
    uneven = [f"cron('0,3 * * * *').named('uneven{n}').do(SlowForecastJob)\n" for n in range(4)]

    assert (bool(often.late), often.suggestions) == (True, [])
    spreads = [one.spread for one in made("".join(uneven), hours=1).suggestions]
    assert spreads
    assert max(spreads) <= timedelta(minutes=3)


def test_the_text_names_its_assumptions_and_the_events_with_a_condition() -> None:
    conditional = SIX.format(name="a", job="SlowForecastJob").replace(".named", ".if_(lambda due: True).named")
    found = made(
        SIX.format(name="b", job="SlowForecastJob") + conditional + SIX.format(name="c", job="SlowForecastJob")
    )

    text = to_text(found, UTC)

    assert "\n  a (has a condition): 1 of 1 late" in text
    assert "\n  c: 1 of 1 late" in text
    assert text.splitlines()[-1].startswith("Assumes: one queue, no limits")
    assert to_json(found)["conditional"] == ["a"]


def test_enough_slots_leave_nothing_to_report() -> None:
    found = made("".join(SIX.format(name=f"e{n}", job="SlowForecastJob") for n in range(4)), slots=4)

    assert (found.late, found.suggestions, found.waits) == ([], [], 0)
    assert "All jobs start within a second" in to_text(found, UTC)


def test_the_text_names_what_was_assumed_and_what_was_left_out() -> None:
    lines = SIX.format(name="a", job="FastForecastJob") + SIX.format(name="b", job="print")
    load = load_of(declared(lines), START, START + timedelta(days=1), seconds={}, default=1.0)

    text = to_text(forecast(load, 1), UTC)

    assert "Not measured yet, so the default is used: FastForecastJob" in text
    assert "Not counted, as they run in the clock: b" in text


def test_work_that_is_too_much_is_reported_and_the_forms_agree() -> None:
    found = made("every().minute.named('m').do(SlowForecastJob)\n", hours=2, SlowForecastJob=90.0)

    written: Any = json.loads(json.dumps(to_json(found)))
    assert "The work is more than the slots can do" in to_text(found, UTC)
    assert (written["jobs"], written["late"][0]["worst_seconds"]) == (120, found.late[0].worst.late)
    assert len(ET.fromstring(to_svg(found, UTC)).findall(".//*")) > 100  # noqa: S314  # written by us


@pytest.mark.slow
def test_a_million_runs_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"more than 500,000 runs .*--to"):
        load_of(
            declared("every().second.named('s').do(FastForecastJob)\n"),
            START,
            START + timedelta(days=30),
            seconds={},
            default=1.0,
        )


def test_the_text_names_the_first_twenty_late_events_and_counts_the_others() -> None:
    found = made("".join(SIX.format(name=f"e{n}", job="SlowForecastJob") for n in range(24)))

    text = to_text(found, UTC)

    assert text.count(" of 1 late; worst ") == 20
    assert "\n  and 3 more events\n" in text


def test_no_spread_is_suggested_for_an_event_that_has_one() -> None:
    lines = "".join(SIX.format(name=f"e{n}", job="SlowForecastJob") for n in range(4))
    spread = lines.replace('.named("e3")', '.spread(timedelta(seconds=1)).named("e3")')

    found = made("from datetime import timedelta\n" + spread)

    assert found.suggestions
    assert "e3" not in {one.event for one in found.suggestions}
