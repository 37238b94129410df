"""Jobs that a firing holds: their jids are the same each time, and those given back are given again."""

from contextlib import suppress

from clock.store.jobs.flow.unique_locks import Lock
from clock.store.jobs.queues import Parcel
from clock.store.ledger.held_pushes import (
    HeldPushes,
    ItemPushes,
    Push,
    current,
    dropping,
    holding,
    holding_in,
    jid_of,
    kept_out,
    unique_pushes,
)


def test_the_jids_of_a_firing_come_from_its_event_due_instant_and_the_job_s_place() -> None:
    held = HeldPushes("feed", 1000, None)

    assert [held.next_jid() for _ in range(3)] == [jid_of("feed", 1000, place) for place in range(3)]
    assert held.jids == [jid_of("feed", 1000, place) for place in range(3)]
    assert len(jid_of("feed", 1000, 0)) == 24


def test_only_the_last_jid_that_is_given_back_is_given_again() -> None:
    held = HeldPushes("feed", 1000, None)
    first, second = held.next_jid(), held.next_jid()

    held.give_back_jid(second)
    again = held.next_jid()
    held.give_back_jid(first)
    third = held.next_jid()

    assert again == second
    assert third == jid_of("feed", 1000, 2)
    assert held.jids == [second, third]


def test_held_jobs_keep_their_instants_and_locks() -> None:
    held, lock = HeldPushes("feed", 1000, 500), Lock("key", "b")

    held.hold([Parcel("low", ["1", "2"]), Parcel("high", ["3"], [7.5]), Parcel("low", ["4"], locks=[lock])])

    assert held.pushes == [
        Push("1", "low"),
        Push("2", "low"),
        Push("3", "high", 7.5),
        Push("4", "low", None, lock),
    ]
    assert held.clock_field == {"event": "feed", "due": 1000, "previous": 500}


def test_the_jids_of_an_item_come_from_the_job_the_item_and_the_place_in_it() -> None:
    held = ItemPushes("jid", 0, None)
    held.next_item('"a"')
    first = [held.next_jid(), held.next_jid()]
    held.next_item('"b"')
    second = held.next_jid()
    held.next_item('"a"')

    again = [held.next_jid(), held.next_jid()]

    assert first == again == [jid_of('jid\0"a"', 0, 0), jid_of('jid\0"a"', 0, 1)]
    assert second not in first
    assert held.jids == again
    assert held.clock_field == {}


def test_of_locked_jobs_those_are_kept_out_whose_lock_has_a_holder() -> None:
    free, held, batch_only = Lock("k", "a"), Lock("k", "b", holder="a"), Lock("", "c", holder="x")
    pushes = [Push("0", "low"), *(Push(lock.jid, "low", None, lock) for lock in (free, held, batch_only))]

    assert [push.lock for push in unique_pushes(pushes)] == [free, held]
    assert [push.lock for push in kept_out(pushes)] == [held]


def test_pushes_are_held_in_the_innermost_block() -> None:
    outer = HeldPushes("outer", 0, None)

    with holding_in(outer):
        with holding("inner", 7, 3) as inner:
            assert current() is inner
            assert (inner.event, inner.due_ms, inner.previous_ms) == ("inner", 7, 3)
        assert current() is outer
        with suppress(RuntimeError), dropping() as dropped:
            assert dropped.clock_field == {"event": "", "due": 0, "previous": None}
            raise RuntimeError
        assert current() is outer
        with holding_in(None):
            assert current() is None

    assert current() is None
