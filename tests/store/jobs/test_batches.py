"""The sets of batches as Redis has them: states, counts, pages of children, corrections."""

from collections.abc import Sequence

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.jobs.flow import batches
from clock.store.jobs.flow.batches import PAGE, Batch, Child, Correction, Counts
from tests.servers import lifetime
from tests.store.jobs.calls import calls, script_calls

NOW = from_ms(1_795_500_000_000)


def add(redis: Redis, bid: str, state: str, jids: Sequence[str]) -> None:
    redis.zadd(keys.BATCH_CHILDREN, dict.fromkeys((f"{bid}/{state}/{jid}" for jid in jids), 0))


def test_a_batch_is_opened_once_below_a_parent_that_lives(redis: Redis) -> None:
    batch = Batch(created=5, callbacks={"success": "{}"}, description="import", opener="j1")
    assert batches.open_batch(redis, "b1", batch, now=NOW) == "new"
    assert batches.open_batch(redis, "b1", Batch(created=6), now=NOW) == "open"
    assert batches.open_batch(redis, "b2", Batch(parent="b1"), now=NOW) == "new"
    assert batches.open_batch(redis, "b3", Batch(parent="none"), now=NOW) == "no parent"

    assert batches.read(redis, "b1") == batch
    assert batches.read(redis, "b3") is None
    assert list(batches.children(redis, "b1", "p")) == [Child("@b2", "p")]


def test_sealing_returns_the_state_before(redis: Redis) -> None:
    batches.open_batch(redis, "b1", Batch(), now=NOW)
    add(redis, "b1", "p", ["j1"])

    assert [batches.seal(redis, bid, now=NOW) for bid in ("b1", "b1", "none")] == ["open", "sealed", ""]


def test_all_batches_are_read_the_oldest_first_without_those_of_other_programs(redis: Redis) -> None:
    for bid, created in (("b1", 7), ("b2", 5), ("b3", 6)):
        batches.open_batch(redis, bid, Batch(created=created), now=NOW)
    redis.hset(
        keys.BATCHES,
        mapping={"x": "no json", "y": b"\xff", "z": '{"created": -1}', "v": '{"created": 1e15}'},
    )

    assert list(batches.read_all(redis)) == ["b2", "b3", "b1"]
    assert batches.read(redis, "x") is batches.read(redis, "y") is batches.read(redis, "z") is None


def test_children_are_counted_by_batch_and_state(redis: Redis) -> None:
    add(redis, "b1", "p", ["1", "2", "3"])
    add(redis, "b1", "s", ["4", "5"])
    add(redis, "b1", "f", ["6"])
    add(redis, "b11", "p", ["7"])

    assert batches.count(redis, ["b1", "none", "b11"]) == [Counts(3, 2, 1), Counts(0, 0, 0), Counts(1, 0, 0)]
    assert batches.count(redis, []) == []


def test_unfinished_batches_are_counted_with_the_children_that_they_wait_for(redis: Redis) -> None:
    for bid, state in (("b1", "open"), ("b2", "sealed"), ("b3", "done")):
        batches.open_batch(redis, bid, Batch(state=state), now=NOW)
        add(redis, bid, "p", ["1", "2"])
        add(redis, bid, "s", ["3"])

    assert batches.unfinished(redis) == (2, 4)


def test_children_that_ended_otherwise_have_the_end_and_their_class(redis: Redis) -> None:
    add(redis, "b1", "f", ["1", "2", "3"])
    add(redis, "b1", "s", ["4/a"])
    redis.hset(keys.BATCH_ENDED, mapping={"b1/1": "dead ImportRowJob", "b1/2": "lost"})

    assert list(batches.children(redis, "b1", "f")) == [
        Child("1", "f", "dead", "ImportRowJob"),
        Child("2", "f", "lost"),
        Child("3", "f", "ended"),
    ]
    assert list(batches.children(redis, "b1", "s")) == [Child("4/a", "s")]


@pytest.mark.slow
def test_the_children_of_a_large_batch_are_read_page_by_page(redis: Redis) -> None:
    jids = [f"{number:05}" for number in range(2 * PAGE + 1)]
    add(redis, "b1", "p", jids)
    add(redis, "b1", "s", ["x"])
    add(redis, "b2", "p", ["y"])
    redis.config_resetstat()

    assert [child.jid for child in batches.children(redis, "b1", "p")] == jids
    assert calls(redis, "zrangebylex") == 4
    redis.config_resetstat()
    assert [(bid, jid) for _, bid, jid in batches.pending(redis)] == [*(("b1", jid) for jid in jids), ("b2", "y")]
    assert calls(redis, "zrangebylex") < 8


def test_pending_jobs_are_read_on_from_a_member_without_batches_and_ended_children(redis: Redis) -> None:
    for bid in ("b1", "b2", "b3"):
        add(redis, bid, "f", ["0", "1"])
        add(redis, bid, "p", ["2", "3", "@b9"])
        add(redis, bid, "s", [f"{number:05}" for number in range(PAGE + 5)])
    redis.config_resetstat()

    found = list(batches.pending(redis))

    assert found == [(f"{bid}/p/{jid}", bid, jid) for bid in ("b1", "b2", "b3") for jid in ("2", "3")]
    assert calls(redis, "zrangebylex") == 7  # two for each batch, and the end
    assert list(batches.pending(redis, "b1/p/3")) == found[2:]
    assert list(batches.pending(redis, "b2/p/2")) == found[3:]
    assert list(batches.pending(redis, "b3/p/@b9")) == []


def test_children_that_another_program_wrote_hide_no_others(redis: Redis) -> None:
    foreign = (b"a", b"b/p", b"b/p/caf\xe9", b"b//1", b"b/p/", b"c/q/1")
    redis.zadd(keys.BATCH_CHILDREN, dict.fromkeys(foreign, 0))
    add(redis, "d", "p", ["1", "2/a"])

    assert list(batches.pending(redis)) == [("d/p/1", "d", "1"), ("d/p/2/a", "d", "2/a")]


def test_the_states_of_children_are_read_together(redis: Redis) -> None:
    add(redis, "b1", "p", ["1"])
    add(redis, "b1", "s", ["2"])
    add(redis, "b2", "f", ["1"])

    pairs = [("b1", "1"), ("b1", "2"), ("b1", "3"), ("b2", "1")]
    assert batches.state_of(redis, pairs) == ["p", "s", "", "f"]
    assert batches.state_of(redis, []) == []
    redis.delete(keys.BATCH_CHILDREN)
    redis.set(keys.BATCH_CHILDREN, "foreign")
    assert batches.state_of(redis, pairs) == ["", "", "", ""]
    assert batches.count(redis, ["b1"]) == [Counts(0, 0, 0)]
    assert list(batches.pending(redis)) == []


def test_thousands_of_children_are_corrected_in_pages_and_counted(redis: Redis) -> None:
    batches.open_batch(redis, "b1", Batch(), now=NOW)
    jids = [f"{number:05}" for number in range(PAGE + 2)]
    add(redis, "b1", "p", jids)
    add(redis, "b1", "s", ["done"])
    lost = [Correction("b1", jid, "J", "lost") for jid in (*jids, "done", "unknown")]
    redis.config_resetstat()

    assert batches.correct(redis, lost, now=NOW) == PAGE + 2

    assert batches.count(redis, ["b1"]) == [Counts(0, 1, PAGE + 2)]
    assert redis.hget(keys.BATCH_ENDED, "b1/00000") == b"lost J"
    assert script_calls(redis) == 2
    assert batches.correct(redis, [Correction("b1", "00000", "J", "living")], now=NOW) == 1
    assert batches.correct(redis, [], now=NOW) == 0


def test_one_worker_looks_for_lost_children_and_keeps_the_check(redis: Redis) -> None:
    assert batches.claim_check(redis, "me", seconds=6_000.5)
    assert redis.pttl(keys.BATCH_CHECK) in lifetime(6_000.5)
    assert not batches.claim_check(redis, "other", seconds=60)
    redis.pexpire(keys.BATCH_CHECK, 5_000)

    assert batches.claim_check(redis, "me", seconds=6_000)

    assert redis.pttl(keys.BATCH_CHECK) in lifetime(6_000)
    assert redis.get(keys.BATCH_CHECK) == b"me"


def test_lost_children_are_added_up(redis: Redis) -> None:
    batches.note_lost(redis, 2)
    batches.note_lost(redis, 3)

    assert redis.get(keys.BATCH_LOST) == b"5"


@pytest.mark.parametrize("state", ["p", "s", "f"])
def test_a_member_of_a_batch_whose_name_begins_like_another_is_not_its_child(redis: Redis, state: str) -> None:
    add(redis, "b", state, ["1"])
    add(redis, "b0", state, ["2"])
    add(redis, "b/x", state, ["3"])

    assert [child.jid for child in batches.children(redis, "b", state)] == ["1"]
