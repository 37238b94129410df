"""What is kept of pauses, and for how long."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.ledger import pauses
from clock.store.ledger.entry import LATEST_MS
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


@pytest.mark.parametrize(
    ("due_ms", "paused"),
    [(999, None), (1000, "event"), (1999, "event"), (2000, None), (3000, "all"), (9999, "all")],
)
def test_an_event_is_paused_by_its_own_pause_or_by_that_of_the_whole_clock(
    due_ms: int, paused: str | None
) -> None:
    made = {
        "feed": Pause(from_ms(1000), from_ms(2000), note="event"),
        ALL: Pause(from_ms(3000), note="all"),
        "mail": Pause(from_ms(0)),
    }

    found = covering(made, "feed", from_ms(due_ms))

    assert (found.note if found else None) == paused


def test_of_its_own_pause_and_that_of_the_whole_clock_its_own_counts() -> None:
    made = {ALL: Pause(from_ms(0), note="all"), "feed": Pause(from_ms(0), note="event")}

    assert str(covering(made, "feed", from_ms(1))) == "paused: event"


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        (Pause(from_ms(0)), "paused"),
        (Pause(from_ms(0), by="Ada"), "paused by Ada"),
        (Pause(from_ms(0), by="Ada", note="repairs"), "paused by Ada: repairs"),
    ],
)
def test_a_pause_is_shown_with_its_person_and_its_reason(pause: Pause, words: str) -> None:
    assert str(pause) == words


def test_a_pause_is_ended_once_and_by_its_resumption_only(redis: Redis) -> None:
    pauses.pause(redis, "feed", Pause(from_ms(1000), by="Ada"))

    early = pauses.resume(redis, "feed", from_ms(999))
    ended = pauses.resume(redis, "feed", from_ms(2000))
    again = pauses.resume(redis, "feed", from_ms(3000))
    unknown = pauses.resume(redis, "mail", from_ms(3000))

    assert (early, again, unknown) == (None, None, None)
    assert ended == Pause(from_ms(1000), by="Ada")
    assert pauses.read(redis) == {"feed": Pause(from_ms(1000), from_ms(2000), "Ada")}


def test_pausing_returns_the_pause_that_is_stored_then(redis: Redis) -> None:
    first = pauses.pause(redis, "feed", Pause(from_ms(1000), by="Ada"))
    second = pauses.pause(redis, "feed", Pause(from_ms(2000), by="Bob"))

    assert (first, second) == (Pause(from_ms(1000), by="Ada"), Pause(from_ms(1000), by="Bob"))
    assert pauses.read(redis) == {"feed": second}


@pytest.mark.parametrize(("until_ms", "lasts"), [(LATEST_MS, False), (LATEST_MS + 1, True)])
def test_an_end_that_no_reader_accepts_is_no_end(redis: Redis, until_ms: int, lasts: bool) -> None:
    pauses.pause(redis, "feed", Pause(from_ms(1000), from_ms(until_ms)))

    assert pauses.read(redis)["feed"].until == (None if lasts else from_ms(LATEST_MS))


@pytest.mark.parametrize(
    ("fields", "is_valid"),
    [
        ({"from": 1}, True),
        ({"from": LATEST_MS, "until": LATEST_MS}, True),
        ({"from": LATEST_MS + 1}, False),
        ({"from": 1, "until": LATEST_MS + 1}, False),
        ({"from": 1.0}, False),
        ({"from": 1, "until": "2"}, False),
        ({"until": 2}, False),
        ({"from": 1, "earlier": [{"from": 0, "until": 1}]}, True),
        ({"from": 1, "earlier": [{"until": 1}]}, False),
        ([], False),
    ],
)
def test_a_field_that_is_not_a_pause_is_logged_and_ignored(
    redis: Redis, caplog: pytest.LogCaptureFixture, fields: object, is_valid: bool
) -> None:
    redis.hset(keys.PAUSED, mapping={"odd": json.dumps(fields), "feed": '{"from": 1}'})

    found = pauses.read(redis)

    assert set(found) == ({"odd", "feed"} if is_valid else {"feed"})
    assert caplog.messages == (
        []
        if is_valid
        else [
            'In Redis, the field "odd" of the key clock:paused is not a pause. It is ignored; rename or delete it.'
        ]
    )


def test_problems_that_the_caller_reports_are_not_logged(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    redis.hset(keys.PAUSED, "odd", "x")
    problems = ["another"]

    pauses.read(redis, problems.append)
    redis.unlink(keys.PAUSED)
    redis.set(keys.PAUSED, "in the way")
    pauses.read(redis, problems.append)

    assert problems == [
        "another",
        'the field "odd" of the key clock:paused is not a pause',
        "the key clock:paused is not a hash, as it should be",
    ]
    assert not caplog.messages


@pytest.mark.parametrize(("ago", "is_kept"), [(52 * WEEK, True), (52 * WEEK + 1, False)])
def test_a_pause_with_an_undecided_instant_is_kept_for_a_year(redis: Redis, ago: int, is_kept: bool) -> None:
    paused_from(redis, "feed", 1000, 2000)
    decided(redis, 1999)

    pauses.forget_old(redis, 2000 + ago - (1 if is_kept else 0))

    assert bool(pauses.read(redis)) is is_kept


def test_the_pause_of_the_whole_clock_is_kept_until_all_events_are_decided(redis: Redis) -> None:
    paused_from(redis, ALL, 1000, 2000)
    redis.hset(keys.LEDGER_DECIDED, mapping={"feed": 9000, "mail": 1999, "odd": "x"})

    pauses.forget_old(redis, 2000 + WEEK)
    before = list(pauses.read(redis))
    redis.hset(keys.LEDGER_DECIDED, "mail", 2000)
    pauses.forget_old(redis, 2000 + WEEK)

    assert before == [ALL]
    assert pauses.read(redis) == {}


def test_a_pause_that_lasts_is_never_forgotten(redis: Redis) -> None:
    pauses.pause(redis, "feed", Pause(from_ms(1000)))
    paused_from(redis, "mail", 1000, 2000)

    pauses.forget_old(redis, 99 * WEEK)

    assert list(pauses.read(redis)) == ["feed"]


def test_a_pause_that_follows_many_others_keeps_the_latest_of_them() -> None:
    pause = Pause(from_ms(0), from_ms(1))

    for first in range(2, 2 * MOST_KEPT + 9, 2):
        pause = pause.followed_by(Pause(from_ms(first), from_ms(first + 1)))

    assert len(pause.periods) == MOST_KEPT
    assert [pause.start - one.start for one in pause.periods] == [
        timedelta(milliseconds=2 * place) for place in range(MOST_KEPT)
    ]


def test_only_stretches_that_ended_a_week_ago_are_forgotten_and_the_others_keep_their_order(redis: Redis) -> None:
    paused_from(redis, "feed", 1000, 2000)
    paused_from(redis, "feed", 3000, 4000)
    pauses.pause(redis, "feed", Pause(from_ms(5000)))
    paused_from(redis, "mail", 3000, 4000)
    redis.hset(keys.LEDGER_DECIDED, mapping={"feed": 9 * WEEK, "mail": 9 * WEEK})

    pauses.forget_old(redis, 2000 + WEEK)

    kept = Pause(from_ms(3000), from_ms(4000), "Ada")
    assert pauses.read(redis) == {"feed": Pause(from_ms(5000), earlier=(kept,)), "mail": kept}
