"""What a push accepts arrives as it was given, whichever way it is pushed; what is read is written as it was."""

import json
import math
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from clock import Job, client_middleware
from clock.errors import ArgumentsError
from clock.job.options import Order
from clock.job.payload import Payload, decode, encode_again, encode_checked
from clock.job.push.arguments import DEEPEST, check_json
from clock.job.push.bulk_arguments import check_all, encode_all
from clock.job.push.payload_builder import pack_all, pack_one


class KeepThingsJob(Job):
    def perform(self, *things: object) -> None: ...


floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8"))
plain = st.none() | st.booleans() | st.integers() | st.integers(min_value=2**62) | floats | texts
json_values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
no_json = st.sampled_from(
    [math.nan, math.inf, "\ud800", (1,), {1: 2}, b"x", {3}, object(), {"\udfff": 1}, 1j, int]
)
anything = st.recursive(
    plain | no_json, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=8
)


def same(left: object, right: object) -> bool:
    """Equal, and of the same types all the way down: 1 is not 1.0 or True here."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


def read(text: str) -> Payload:
    ours, theirs = cast("Payload", decode(text.encode())), json.loads(text)
    assert same(ours, theirs)
    return ours


@given(st.lists(st.lists(json_values, max_size=3), min_size=1, max_size=5))
def test_arguments_arrive_as_they_were_pushed_one_by_one_and_in_bulk(batches: list[list[Any]]) -> None:
    jids, parcels = pack_all(Order(KeepThingsJob), batches, None, 1795521600.0)
    alone = [pack_one(Order(KeepThingsJob), args, 1795521600.0)[1][0].payloads[0] for args in batches]

    check_all("KeepThingsJob", KeepThingsJob.perform, batches)
    for args, jid, together, single in zip(batches, jids, parcels[0].payloads, alone, strict=True):
        assert same(read(together)["args"], args)
        assert read(together)["jid"] == jid
        assert same({**read(single), "jid": jid}, read(together))


@given(st.lists(json_values, max_size=3))
def test_a_payload_that_middleware_has_seen_is_the_same(args: list[Any]) -> None:
    before = client_middleware.entries
    client_middleware.add(lambda job, payload, queue: None)
    try:
        _, [parcel] = pack_one(Order(KeepThingsJob), args, 1795521600.0)
    finally:
        client_middleware.entries = before

    assert same(read(parcel.payloads[0])["args"], args)


@given(st.lists(st.lists(anything, max_size=3), min_size=1, max_size=3), st.sampled_from([1, 6]))
def test_a_quick_check_of_many_finds_what_a_slow_check_of_each_finds(some: list[list[Any]], times: int) -> None:
    batches = some * times  # many lists are checked by columns

    def refused(check: Any) -> bool:
        try:
            check()
        except ArgumentsError:
            return True
        return False

    each = any(refused(lambda args=args: check_json("J", args)) for args in batches)

    assert refused(lambda: check_all("J", KeepThingsJob.perform, batches)) is each


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers()))
def test_what_was_read_is_written_as_it_was(word: str, more: dict[str, Any]) -> None:
    text = json.dumps({"class": "A", "args": [word, 2**70], **more}).encode()

    again = encode_again(cast("Payload", decode(text))).encode()

    assert json.loads(again) == json.loads(text)


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 2**70, -(2**400), 10**4000])
def test_integers_of_any_size_survive(number: int) -> None:
    text = encode_checked([number])

    assert text == f"[{number}]"
    assert decode(text.encode()) == [number]


@pytest.mark.parametrize(
    "text", [b"NaN", b"[1e400]", b"-Infinity", b"[1,]", b"\xff", b'"\n"', b"", b"\xef\xbb\xbf1"]
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of whichever reader
        decode(text)


def test_numbers_of_too_many_digits_and_values_that_hold_themselves_are_refused() -> None:
    itself: list[Any] = []
    itself.append(itself)

    with pytest.raises(ArgumentsError, match=r"argument 2 is an int of more than 4300 digits.*pass hex\(value\)"):
        KeepThingsJob.perform_async(1, 10**5000)
    for push in (KeepThingsJob.perform_async, lambda value: KeepThingsJob.perform_bulk([[value]])):
        with pytest.raises(ArgumentsError, match=r"argument 1 is nested too deeply, or holds itself"):
            push(itself)


def test_an_argument_is_as_deep_as_rubys_json_reads_it_and_no_deeper() -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = {"a": value}

    KeepThingsJob.perform_inline(value)
    for push in (KeepThingsJob.perform_async, lambda deep: KeepThingsJob.perform_bulk([[deep]])):
        with pytest.raises(ArgumentsError, match=r"nested too deeply, or holds itself; pass .* at most 98 levels"):
            push([value])


def test_bulk_accepts_deep_arguments_that_its_quick_check_does_not_finish(redis: Redis) -> None:
    value: Any = 1
    for _ in range(DEEPEST):
        value = [value]

    KeepThingsJob.perform_bulk([[value], [1]])

    assert redis.llen("queue:default") == 2


@pytest.mark.parametrize("is_dict", [False, True])
def test_values_that_hold_themselves_several_times_are_refused_at_once(is_dict: bool) -> None:
    items: list[Any] = []
    items += [items] * 4
    keyed: dict[str, Any] = {}
    keyed |= dict.fromkeys("abcd", keyed)

    with pytest.raises(ArgumentsError, match=r"argument 1 is nested too deeply, or holds itself"):
        KeepThingsJob.perform_bulk([[keyed if is_dict else items]] * 10)


def test_an_argument_may_hold_what_stands_between_bulks_arguments_while_they_are_encoded() -> None:
    batches: list[list[object]] = [["a\nb"], ["\n", "\u2028", "\r\n"], [1]]

    texts = encode_all({"class": "A"}, batches, ["1", "2", "3"])

    assert [json.loads(text)["args"] for text in texts] == batches
