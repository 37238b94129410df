"""What is kept of pauses, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.ledger import pauses
from clock.store.ledger.pauses import ALL, MOST_KEPT, Pause, covering

SECOND = 1000
WEEK = 7 * 24 * 3600 * SECOND


def paused_from(redis: Redis, event: str, first: int, last: int) -> None:
    pauses.pause(redis, event, Pause(from_ms(first), by="Ada"))
    pauses.resume(redis, event, from_ms(last))


def decided(redis: Redis, due_ms: int) -> None:
    """The clock has decided the event `feed` up to there."""
    redis.hset(keys.LEDGER_DECIDED, "feed", due_ms)


def test_each_stretch_of_several_pauses_covers_what_was_due_in_it(redis: Redis) -> None:
    paused_from(redis, "feed", 1000, 2000)
    pauses.pause(redis, "feed", Pause(from_ms(3000), note="again"))

    found = pauses.read(redis)

    told = [str(covering(found, "feed", from_ms(due))) for due in (999, 1000, 1999, 2000, 2999, 3000)]
    assert told == ["None", "paused by Ada", "paused by Ada", "None", "None", "paused: again"]


def test_a_pause_made_twice_keeps_the_stretches_before_it(redis: Redis) -> None:
    paused_from(redis, "feed", 1000, 2000)
    pauses.pause(redis, "feed", Pause(from_ms(3000)))
    pauses.pause(redis, "feed", Pause(from_ms(4000), from_ms(9000)))

    found = pauses.read(redis)["feed"]

    assert found == Pause(from_ms(3000), from_ms(9000), earlier=(Pause(from_ms(1000), from_ms(2000), "Ada"),))


def test_of_very_many_pauses_the_latest_are_kept(redis: Redis) -> None:
    for first in range(0, 2 * (MOST_KEPT + 20), 2):
        paused_from(redis, "feed", first, first + 1)

    found = pauses.read(redis)["feed"]

    assert len(found.periods) == MOST_KEPT
    assert found.start - found.earlier[-1].start == timedelta(milliseconds=2 * (MOST_KEPT - 1))


def test_a_pause_until_the_end_of_the_calendar_lasts_until_it_is_resumed(redis: Redis) -> None:
    pauses.pause(redis, "feed", Pause(from_ms(1000), datetime.max.replace(tzinfo=UTC), "Ada"))

    assert pauses.read(redis) == {"feed": Pause(from_ms(1000), None, "Ada")}


@pytest.mark.parametrize("event", ["feed", ALL])
def test_a_pause_is_forgotten_a_week_after_its_end_where_all_that_was_due_in_it_is_decided(
    redis: Redis, event: str
) -> None:
    paused_from(redis, event, 1000, 2000)
    decided(redis, 1999)

    kept = []
    for now_ms, decided_ms in [(2000 + WEEK, 1999), (1999 + WEEK, 2000), (2000 + WEEK, 2000)]:
        decided(redis, decided_ms)
        pauses.forget_old(redis, now_ms)
        kept.append(list(pauses.read(redis)))

    assert kept == [[event], [event], []]


def test_an_earlier_stretch_is_forgotten_by_itself(redis: Redis) -> None:
    paused_from(redis, "feed", 1000, 2000)
    pauses.pause(redis, "feed", Pause(from_ms(3000)))
    decided(redis, 2500)

    pauses.forget_old(redis, 2000 + WEEK)

    assert pauses.read(redis) == {"feed": Pause(from_ms(3000))}


def test_the_pause_of_an_event_that_the_ledger_does_not_know_is_forgotten_a_week_after_its_end(
    redis: Redis,
) -> None:
    paused_from(redis, "gone", 1000, 2000)

    pauses.forget_old(redis, 2000 + WEEK)

    assert pauses.read(redis) == {}
