from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from clock.testing import FakeClock
from clock.ticker import Ticker
from clock.ticker.planning.catch_up import Due
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
    first_of_today, _ = agenda.first_due

    assert names(taken) == ["b", "c"]
    assert first_of_today == "a"
    assert names(agenda.take_due(tomorrow)) == ["a", "b", "c"]


def test_the_first_event_is_the_first_of_those_that_are_left(agenda: DueQueue) -> None:
    agenda.replace(["b"], ())

    assert agenda.first_due[0] == "c"


def test_what_is_taken_out_leaves_the_others_due_when_they_were(agenda: DueQueue, fake_clock: FakeClock) -> None:
    agenda.replace(["a"], ())
    agenda.replace(["b", "nobody"], ())
    agenda.replace(["c"], ())
    emptied = agenda.next_due

    assert emptied is None
    assert agenda.take_due(fake_clock.now() + timedelta(days=1)) == []


def test_the_events_of_the_earliest_instant_are_counted_once_it_has_come(agenda: DueQueue) -> None:
    due = agenda.next_due

    assert due is not None
    assert agenda.count_due(due - timedelta(microseconds=1)) == 0
    assert agenda.count_due(due) == 2
    assert agenda.due_by(due - timedelta(microseconds=1)) == []
    assert agenda.due_by(due) == [("b", due), ("c", due)]
    assert DueQueue(()).count_due(due) == 0


def test_events_put_back_at_one_instant_stand_in_file_order(declare: Declare, fake_clock: FakeClock) -> None:
    file = "".join(f'every().day.at("06:00").named("{name}").do(ran.append, 1)\n' for name in "abcd")
    queue = DueQueue(planned(event, fake_clock.now()) for event in declare(file).events)
    taken = {item.event.name: item for item in queue.take_due(fake_clock.now() + timedelta(minutes=5))}

    for name in "bdac":
        queue.put_back(taken[name])

    assert queue.first_due[0] == "a"
    assert names(queue.take_due(fake_clock.now() + timedelta(days=1))) == ["a", "b", "c", "d"]


def test_an_event_whose_condition_refused_is_due_at_the_next_candidate_and_its_neighbours_stay(
    declare: Declare, fake_clock: FakeClock
) -> None:
    asked = """
        @every(timedelta(days=1), "asked", at="**:00", if_=lambda t: True)
        def run(name, due): ...
        """
    queue = DueQueue(planned(event, fake_clock.now()) for event in declare(FILE, asked).events)
    taken = queue.take_due(fake_clock.now() + timedelta(minutes=5))
    [item] = [item for item in taken if item.event.name == "asked"]
    at, item.counted = item.next_due, "-"  # no due instant has counted yet
    assert at is not None
    due = item.due(at)
    for one in taken:
        one.take_over(at, due if one is item else None)
        queue.put_back(one)
    on_time = (due.kind, item.next_due)

    queue.ask_again("asked", due)

    assert on_time == ("fired", at + timedelta(days=1))
    assert (item.next_due, item.is_asked_again) == (at + timedelta(hours=1), True)
    assert item.due(at).is_asked_again
    assert names(queue.take_due(at + timedelta(hours=1))) == ["a", "asked"]
    assert names(queue.take_due(at + timedelta(days=1))) == ["b", "c"]


def test_a_refusal_of_an_earlier_instant_changes_nothing(agenda: DueQueue) -> None:
    item = agenda.planned[0]
    old = Due(item.decided - timedelta(days=1), None, item.decided, counted=("before", "after"))

    agenda.ask_again("b", old)
    agenda.ask_again("unknown", old)

    assert (item.counted, item.is_asked_again) == ("", False)


def test_a_refused_event_that_is_due_again_leaves_the_others_at_its_instant(
    agenda: DueQueue, fake_clock: FakeClock
) -> None:
    item = agenda.planned[0]

    agenda.ask_again("b", Due(item.decided, None, item.decided, counted=("before", "after")))

    assert item.is_asked_again
    assert names(agenda.take_due(fake_clock.now() + timedelta(minutes=5))) == ["b", "c"]


def test_a_refusal_of_an_event_that_is_taken_out_does_not_plan_it_twice(
    agenda: DueQueue, fake_clock: FakeClock
) -> None:
    item = agenda.take_due(fake_clock.now() + timedelta(minutes=5))[0]

    agenda.ask_again("b", Due(item.decided, None, item.decided, counted=("before", "after")))
    agenda.put_back(item)

    assert names(agenda.take_due(fake_clock.now() + timedelta(minutes=5))) == ["b"]


def test_what_is_decided_counts_until_it_is_refused(agenda: DueQueue, fake_clock: FakeClock) -> None:
    item = agenda.planned[0]
    item.is_asked_again = True

    item.take_over(fake_clock.now(), Due(fake_clock.now(), None, item.decided, False, ("before", "after")))

    assert (item.decided, item.previous) == (fake_clock.now(), fake_clock.now())
    assert (item.counted, item.is_asked_again) == ("after", False)
    item.take_over(fake_clock.now(), None)
    assert item.counted == "after"


def test_a_refreshed_event_keeps_its_due_instant_and_an_unknown_one_is_ignored(
    agenda: DueQueue, declare: Declare
) -> None:
    due = agenda.next_due
    new, unknown = declare(FILE).events[0], replace(declare(FILE).events[1], name="unknown")

    agenda.refresh([new, unknown])

    assert agenda.planned[0].event is new
    assert [item.event.name for item in agenda.planned] == ["b", "a", "c"]
    assert agenda.next_due == due


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
