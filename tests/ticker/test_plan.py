"""The plan: what it reports before and after the ledger is read, and the order of its firings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from clock.clocks import to_ms
from clock.rehearsal.ledger import MemoryLedger
from clock.testing import FakeClock
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.catch_up import Due, Missed
from clock.ticker.planning.plan import Plan
from clock.timetable import Timetable
from tests.ticker.conftest import START

Declare = Callable[..., Timetable]
SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
TWO_AT_SIX = """
every().day.at("06:00").named("b").do(ran.append, 1)
every().day.at("07:00").named("a").do(ran.append, 1)
every().day.at("06:00").named("c").do(ran.append, 1)
"""


def unread(started: Due | Missed | None = None) -> Plan:
    return Plan(MemoryLedger(), lambda event: started, OwnCommits())


def firings(plan: Plan) -> list[tuple[str, datetime]]:
    return [(event.name, due.at) for event, due in plan.to_fire]


def test_a_plan_without_the_ledger_has_nothing_due(declare: Declare) -> None:
    plan = unread()

    plan.replace(["b"], (), declare(TWO_AT_SIX).events)
    plan.look_ahead()

    assert not plan.is_known
    assert (plan.queue.planned, plan.queue.next_due, plan.oldest_undecided, plan.queue.first_due) == (
        [],
        None,
        None,
        (None, 0),
    )
    assert (plan.count_due(SIX), plan.take_due(SIX), plan.late(SIX)) == (0, [], [])


def test_a_plan_without_events_has_nothing_due() -> None:
    plan = unread()

    plan.read([], START)

    assert (plan.queue.next_due, plan.oldest_undecided, plan.queue.first_due, plan.count_due(SIX)) == (
        None,
        None,
        (None, 0),
        0,
    )


def test_firings_that_are_taken_count_as_due_until_they_are_fired(declare: Declare) -> None:
    plan = unread()
    plan.read(declare(TWO_AT_SIX).events, START)
    ahead = (plan.queue.next_due, plan.oldest_undecided, plan.queue.first_due, plan.count_due(SIX))

    plan.take_due(SIX)

    assert ahead == (SIX, SIX, ("b", to_ms(SIX)), 2)
    assert [item.event.name for item in plan.queue.planned] == ["b", "a", "c"]
    assert (plan.queue.next_due, plan.oldest_undecided, plan.count_due(SIX + HOUR)) == (SIX + HOUR, SIX, 3)


def test_the_firings_of_an_event_that_is_removed_are_dropped(declare: Declare) -> None:
    plan = unread()
    plan.read(declare(TWO_AT_SIX).events, START)
    plan.take_due(SIX)

    plan.replace((), (), ())
    before = firings(plan)
    plan.replace(["b"], (), ())
    plan.look_ahead()

    assert before == [("b", SIX), ("c", SIX)]
    assert firings(plan) == [("c", SIX)]
    assert [item.event.name for item in plan.queue.planned] == ["a", "c"]


def test_a_clock_that_is_a_second_late_fires_an_event_of_each_second_for_both(declare: Declare) -> None:
    plan = unread()
    plan.read(declare('every().second.named("each").catch_up("all").do(ran.append, 1)\n').events, START)

    plan.take_due(START + 2 * SECOND)

    assert firings(plan) == [("each", START + SECOND), ("each", START + 2 * SECOND)]


def test_firings_are_taken_by_due_instant_and_at_one_instant_in_file_order(declare: Declare) -> None:
    plan = unread()
    hourly = 'cron("30 * * * *").named("hourly").do(ran.append, 1)\n'
    often = 'cron("*/30 * * * *").named("often").catch_up("all").do(ran.append, 1)\n'
    plan.read(declare(hourly, often).events, START)

    half_past = SIX + HOUR / 2
    plan.take_due(half_past)

    assert firings(plan) == [("often", SIX), ("hourly", half_past), ("often", half_past)]


def test_an_event_whose_condition_refused_is_planned_for_the_next_minute(declare: Declare) -> None:
    events = declare('@every(timedelta(hours=1), "hourly", if_=lambda t: True)\ndef run(name, due): ...\n').events
    plan, unknown = unread(), unread()
    plan.read(events, SIX)
    plan.take_due(SIX)
    [(event, due)] = plan.to_fire
    plan.look_ahead()

    plan.queue.ask_again(event.name, due)
    unknown.queue.ask_again(event.name, due)

    assert plan.queue.next_due == SIX + MINUTE
    assert unknown.queue.next_due is None


@pytest.mark.parametrize("fires", [True, False])
def test_what_a_thread_is_running_is_not_planned_again(
    declare: Declare, fake_clock: FakeClock, fires: bool
) -> None:
    [event] = declare('@every(timedelta(hours=1), "hourly", if_=lambda t: True)\ndef run(name, due): ...\n').events
    counted = str(to_ms(SIX) // 1000)
    if fires:
        plan = unread(Due(SIX, None, START, counted=("-", counted)))
    else:
        plan = unread(Missed(SIX, SIX, START, 1, "too late", counted="-"))

    plan.read([event], START)

    assert plan.queue.next_due == SIX + (HOUR if fires else MINUTE)
