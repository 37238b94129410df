from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from clock.testing import FakeClock
from clock.ticker import Ticker
from clock.ticker.planning.due_queue import DueQueue, Planned
from clock.timetable import Event, Timetable

Declare = Callable[..., Timetable]
FILE = """
every().day.at("06:00").named("b").do(ran.append, 1)
every().day.at("07:00").named("a").do(ran.append, 1)
every().day.at("06:00").named("c").do(ran.append, 1)
"""


def planned(event: Event, start: datetime) -> Planned:
    item = Planned(event, anchor=start, decided=start)
    item.look_ahead()
    return item


@pytest.fixture
def agenda(declare: Declare, fake_clock: FakeClock) -> DueQueue:
    return DueQueue(planned(event, fake_clock.now()) for event in declare(FILE).events)


def names(items: list[Planned]) -> list[str]:
    return [item.event.name for item in items]


def test_what_is_due_at_one_instant_stands_in_file_order_whoever_was_put_back_first(
    agenda: DueQueue, fake_clock: FakeClock
) -> None:
    taken = agenda.take_due(fake_clock.now() + timedelta(minutes=5))
    for item in reversed(taken):
        item.decided = item.next_due or item.decided
        agenda.put_back(item)
    tomorrow = fake_clock.now() + timedelta(days=1, minutes=5)
    first_of_today = agenda.first

    assert names(taken) == ["b", "c"]
    assert first_of_today is not None
    assert first_of_today.event.name == "a"
    assert names(agenda.take_due(tomorrow)) == ["a", "b", "c"]


def test_the_first_event_is_the_first_of_those_that_are_left(agenda: DueQueue) -> None:
    agenda.replace(["b"], ())

    assert agenda.first is not None
    assert agenda.first.event.name == "c"


def test_what_is_taken_out_leaves_the_others_due_when_they_were(agenda: DueQueue, fake_clock: FakeClock) -> None:
    agenda.replace(["a"], ())
    agenda.replace(["b", "nobody"], ())
    agenda.replace(["c"], ())
    emptied = agenda.next_due

    assert emptied is None
    assert agenda.take_due(fake_clock.now() + timedelta(days=1)) == []


class Counted(tuple[Event, ...]):
    """Events that count how often they are looked through."""

    looks = 0

    def __iter__(self) -> Iterator[Event]:
        self.looks += 1
        return super().__iter__()


def test_a_tick_with_nothing_due_looks_through_no_events(
    declare: Declare, start: Callable[..., Ticker], fake_clock: FakeClock
) -> None:
    timetable = declare(FILE)
    events = Counted(timetable.events)
    ticker = start(replace(timetable, events=events))
    looks = events.looks

    fake_clock.advance(timedelta(seconds=1))
    ticker.tick()

    assert looks > 0
    assert events.looks == looks
