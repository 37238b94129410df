import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PosixPath
from typing import Any, ClassVar, NamedTuple
from unittest.mock import create_autospec

import pytest
from redis import Redis

from clock import Job, server_middleware
from clock.clocks import to_ms
from clock.errors import ArgumentsError, DuplicateJobClass, JobError
from clock.job import Context, registry
from clock.job.push.client import using_clock
from clock.store.ledger.held_pushes import holding
from clock.testing import FakeClock
from tests.job.redis_rows import delayed, waiting

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


class SendParcelJob(Job):
    def perform(self, parcel_id: int, kind: str = "letter", *stamps: str) -> str:
        return f"{self.jid and 'sent'} {parcel_id} {kind}"


class SendUrgentParcelJob(SendParcelJob):
    queue = "critical"
    retry = 3
    dead = False
    backtrace = 5
    tags: ClassVar = ["post"]
    retry_for = 3600


class ChargeCardJob(Job):
    wire_name = "Billing::ChargeCardJob"

    def perform(self) -> None: ...


def test_a_pushed_job_lies_in_its_queue_in_sidekiqs_format(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        jid = SendParcelJob.perform_async(7, "parcel")

    assert waiting(redis) == [
        {
            "class": "SendParcelJob",
            "args": [7, "parcel"],
            "jid": jid,
            "queue": "default",
            "retry": True,
            "created_at": NOW.timestamp(),
            "enqueued_at": NOW.timestamp(),
        }
    ]
    assert len(jid) == 24
    assert set(jid) <= set("0123456789abcdef")
    assert redis.smembers("queues") == {b"default"}


def test_times_in_a_payload_always_have_a_fraction(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        SendParcelJob.perform_async(7)

    row: Any = redis.lindex("queue:default", 0)
    assert f'"created_at":{int(NOW.timestamp())}.0'.encode() in row


def test_options_are_inherited_and_go_into_the_payload(redis: Redis) -> None:
    SendUrgentParcelJob.perform_async(7)

    [payload] = waiting(redis, "critical")
    options = {name: payload[name] for name in ("retry", "dead", "backtrace", "tags", "retry_for")}
    assert options == {"retry": 3, "dead": False, "backtrace": 5, "tags": ["post"], "retry_for": 3600}


def test_set_changes_options_of_one_push(redis: Redis) -> None:
    SendParcelJob.set(queue="low", retry=False).perform_async(7)

    assert [(payload["queue"], payload["retry"]) for payload in waiting(redis, "low")] == [("low", False)]


class Shelf(str, Enum):  # noqa: UP042  # the older kind, whose str() is not its value
    LOW = "low"


def test_a_queue_may_be_a_member_of_an_enum(redis: Redis) -> None:
    SendParcelJob.set(queue=Shelf.LOW).perform_async(7)

    assert redis.smembers("queues") == {b"low"}
    assert [row["queue"] for row in waiting(redis, "low")] == ["low"]


def test_a_wire_name_serves_rubys_namespaces(redis: Redis) -> None:
    ChargeCardJob.perform_async()

    assert waiting(redis)[0]["class"] == "Billing::ChargeCardJob"


@pytest.mark.parametrize("interval", [60, 60.0, timedelta(minutes=1)])
def test_a_delayed_job_waits_in_the_schedule(redis: Redis, interval: Any) -> None:
    with using_clock(FakeClock(NOW)):
        SendParcelJob.perform_in(interval, 7)

    [(payload, score)] = delayed(redis)
    assert score == NOW.timestamp() + 60
    assert "enqueued_at" not in payload
    assert not redis.exists("queues")


@pytest.mark.parametrize("instant", [NOW + timedelta(minutes=1), NOW.timestamp() + 60])
def test_perform_at_takes_an_instant(redis: Redis, instant: Any) -> None:
    with using_clock(FakeClock(NOW)):
        SendParcelJob.perform_at(instant, 7)

    assert delayed(redis)[0][1] == NOW.timestamp() + 60


def test_a_time_in_the_past_goes_to_the_queue_at_once(redis: Redis) -> None:
    SendParcelJob.perform_in(-5, 7)

    assert len(waiting(redis)) == 1
    assert delayed(redis) == []


def test_perform_at_refuses_a_naive_datetime(redis: Redis) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        SendParcelJob.perform_at(datetime(2026, 11, 24), 7)  # the mistake


def test_bulk_pushes_one_job_for_each_list_in_order(redis: Redis) -> None:
    jids = SendParcelJob.perform_bulk([[number] for number in range(2_500)])

    payloads = waiting(redis)
    assert [payload["jid"] for payload in payloads] == jids
    assert [payload["args"] for payload in payloads] == [[number] for number in range(2_500)]


def test_bulk_pushes_nothing_where_an_int_is_too_long_for_a_worker(redis: Redis) -> None:
    with pytest.raises(ArgumentsError, match="job 1001, argument 1 is an int of more than 4300 digits"):
        SendParcelJob.perform_bulk([[1]] * 1_000 + [[10**4300]])

    assert not redis.exists("queue:default")


def test_bulk_refuses_a_list_that_is_not_of_lists(redis: Redis) -> None:
    with pytest.raises(ArgumentsError, match=r"write \[\[1\], \[2\]\] for two jobs"):
        SendParcelJob.perform_bulk([1, 2])  # type: ignore[list-item]  # the mistake


def test_inline_with_options_runs_the_job_here_with_these_options_at_once() -> None:
    seen: list[object] = []

    @server_middleware.add
    def look(job: Job, payload: dict[str, object], queue: str) -> None:
        seen.append((queue, payload["retry"]))

    assert SendParcelJob.set(queue="low", retry=3, wait=60).perform_inline(7, "parcel") == "sent 7 parcel"
    assert asyncio.run(SendParcelJob.set(queue="high", retry=4).aperform_inline(8)) == "sent 8 letter"

    assert seen == [("low", 3), ("high", 4)]


def test_inline_runs_the_job_here_with_arguments_sent_through_json() -> None:
    assert SendParcelJob.perform_inline(7, "parcel") == "sent 7 parcel"
    assert SendParcelJob.perform_sync(7, "parcel") == "sent 7 parcel"
    assert SendParcelJob.set(queue="low").perform_sync(7) == "sent 7 letter"


class Colour(IntEnum):
    RED = 1


class Postcode(str):
    __slots__ = ()


class Stamp(NamedTuple):
    price: int


@dataclass
class Parcel:
    weight: int = 1


class Shy:
    def __repr__(self) -> str:
        raise RuntimeError("no database here")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "SendParcelJob: perform(parcel_id: 'int', kind: 'str' = 'letter', *stamps: 'str')"),
        ((NOW,), "argument 1 is a datetime, datetime.datetime(2026, 11, 24, 6, 0, tzinfo=datetime.timez"),
        ((1, Decimal(2)), "argument 2 is a Decimal, Decimal('2'), which JSON does not support; pass str(value)"),
        ((1, (2, 3)), "argument 2 is a tuple, (2, 3), which JSON does not support; pass a list"),
        (
            (1, {"a": [1, {2}]}),
            "argument 2['a'][1] is a set, {2}, which JSON does not support; pass a sorted list",
        ),
        ((1, {1: 2}), "argument 2 has the key 1; a dict's keys must be str here"),
        ((float("nan"),), "argument 1 is nan, which JSON does not support"),
        ((b"x",), "argument 1 is a bytes, b'x', which JSON does not support; pass text"),
        (("\ud800",), r"argument 1 is '\ud800', a str that is not valid UTF-8"),
        ((object,), "pass an id and look it up in perform; allowed are None, True, False"),
        ((object(),), "argument 1 is an object, <object object at"),
        ((Colour.RED,), "argument 1 is a Colour, <Colour.RED: 1>, which JSON does not support; pass value.value"),
        ((PosixPath("a"),), "argument 1 is a PosixPath, PosixPath('a'), which JSON does not support; pass str("),
        ((Stamp(1),), "argument 1 is a Stamp, Stamp(price=1), which JSON does not support; pass a list"),
        ((Parcel(),), "which JSON does not support; pass dataclasses.asdict(value)"),
        ((Postcode("1010"),), "argument 1 is a Postcode, '1010', which JSON does not support; pass str(value)"),
        ((range(2),), "argument 1 is a range, range(0, 2), which JSON does not support; pass list(value)"),
        ((Shy(),), "argument 1 is a Shy, which JSON does not support; pass an id"),
    ],
)
def test_wrong_arguments_are_refused_where_the_job_is_pushed(
    redis: Redis, args: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ArgumentsError) as error:
        SendParcelJob.perform_async(*args)

    assert message in str(error.value).replace("parcel_id: int", "parcel_id: 'int'").replace(
        "kind: str", "kind: 'str'"
    ).replace("stamps: str", "stamps: 'str'")
    assert not redis.exists("queue:default")


class SendPostcardJob(Job):
    def perform(self, to: int, text: str = "hello", stamp: str = "plain", *, sender: str = "me") -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((7,), {"text": "bye"}, [7, "bye"]),
        ((), {"text": "bye", "to": 7}, [7, "bye"]),
        ((7,), {"stamp": "rare"}, [7, "hello", "rare"]),
        ((), {"to": 7}, [7]),
    ],
)
def test_keyword_arguments_go_to_their_positions(
    redis: Redis, args: tuple[object, ...], kwargs: dict[str, object], expected: list[object]
) -> None:
    push: Any = SendPostcardJob.perform_async
    push(*args, **kwargs)

    [payload] = redis.lrange("queue:default", 0, -1)
    assert json.loads(payload)["args"] == expected


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (
            (7,),
            {"kind": "x"},
            "kind='x' was given by keyword, but a payload holds arguments by position; perform",
        ),
        ((7,), {"sender": "x"}, "perform takes: to, text, stamp"),
        ((7,), {"to": 8}, "to=8 was given by keyword, but argument 1 is that one: 7"),
        (
            (),
            {"text": "x"},
            "text='x' was given by keyword, but to, which comes before it, is missing; pass it, too",
        ),
        ((7,), {"text": {1, 2}}, "argument 2 is a set"),
    ],
)
def test_keyword_arguments_that_have_no_position_are_refused(
    redis: Redis, args: tuple[object, ...], kwargs: dict[str, object], message: str
) -> None:
    push: Any = SendPostcardJob.perform_async

    with pytest.raises(ArgumentsError) as error:
        push(*args, **kwargs)

    assert message in str(error.value)
    assert not redis.exists("queue:default")


def test_other_attributes_are_the_classes_own() -> None:
    class ImportRowsJob(Job):
        batch_size = 100
        weight = 3
        read = "utf-8"
        entry = 4
        expires_at = "noon"
        retry_after = 7
        http_headers: ClassVar[dict[str, str]] = {"Accept": "*/*"}

        def perform(self) -> None: ...

    assert ImportRowsJob.batch_size == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"que": "low"}, "unknown option 'que'; did you mean 'queue'?"),
        ({"retries": 3}, "unknown option 'retries'; did you mean 'retry'?"),
        (
            {"timout": 3},
            "unknown option 'timout'; did you mean 'timeout'? To add your own attribute, choose a name",
        ),
        ({"retyr": 3}, "unknown option 'retyr'; did you mean 'retry'?"),
        ({"quue": "low"}, "unknown option 'quue'; did you mean 'queue'?"),
        ({"queue": ""}, "queue is ''; it must be a name that is not empty, without line breaks"),
        ({"retry": -1}, "retry is -1; it must be True, False, or a number of retries"),
        ({"retry": "3"}, "retry is '3'"),
        ({"tags": "post"}, "tags is 'post'; it must be a list of words"),
        ({"queue": " "}, "queue is ' '; it must be a name that is not empty, without line breaks"),
        (
            {"queue": "two\nlines"},
            "queue is 'two\\nlines'; it must be a name that is not empty, without line breaks",
        ),
        (
            {"timeout": float("inf")},
            "timeout is inf; it must be seconds above 0, or None; the limit is 1,000,000,000",
        ),
        (
            {"timeout": 1e12},
            "timeout is 1000000000000.0; it must be seconds above 0, or None; the limit is 1,000,000,000",
        ),
        ({"expires_in": 1e12}, "expires_in is 1000000000000.0; it must be seconds above 0, or None; the limit is"),
        (
            {"retry_for": 2_000_000_000},
            "retry_for is 2000000000; it must be seconds above 0, or None; the limit is",
        ),
        ({"retry_for": 0}, "retry_for is 0; it must be seconds above 0, or None; the limit is 1,000,000,000"),
    ],
)
def test_a_wrong_option_is_an_error_when_the_class_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError) as error:
        type("SendWrongJob", (Job,), options)

    assert message in str(error.value)
    with pytest.raises(JobError):
        SendParcelJob.set(**options)


async def _generate(self: object) -> AsyncIterator[int]:
    yield 1


async def _later(self: object, count: int, error: BaseException) -> None: ...


def _by_keyword(self: object, *, size: int) -> None: ...


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"perform": _generate}, "perform is a generator, so calling it runs nothing"),
        ({"perform": _by_keyword}, "perform can't have keyword-only arguments such as 'size'"),
        ({"perform": lambda: None}, "perform has no self; write def perform(self, ...)"),
        ({"perform": staticmethod(print)}, "perform is a staticmethod; write def perform(self, ...)"),
        ({"perform": None}, "perform is a NoneType; write def perform(self, ...)"),
        ({"perform": 7}, "perform is a int; write def perform(self, ...)"),
        ({"run": lambda self: None}, "SendWrongJob.run hides a method of Job; rename yours"),
        (
            {"__init__": lambda self, bank: None},
            "__init__ requires 'bank', but a worker creates a job without",
        ),
        ({"retry_in": _later}, "retry_in is `async def`; it must be a plain method"),
    ],
)
def test_a_perform_that_no_worker_could_call_is_an_error_when_the_class_is_made(
    body: dict[str, object], message: str
) -> None:
    with pytest.raises(JobError) as error:
        type("SendWrongJob", (Job,), body)

    assert message in str(error.value)


class SendByCourierJob(Job):
    def __init__(self, courier: str = "bike", **more: str) -> None:
        self.courier = courier

    def perform(self) -> str:
        return self.courier


def test_a_job_may_have_an_init_that_needs_no_argument() -> None:
    assert SendByCourierJob.perform_inline() == "bike"


class HandleParcelJob(Job):
    queue = "parcels"


@pytest.mark.parametrize(
    "push",
    [
        lambda: HandleParcelJob.perform_async(1),
        lambda: HandleParcelJob.perform_bulk([[1]]),
        lambda: HandleParcelJob.perform_inline(1),
        lambda: HandleParcelJob.set(queue="low").perform_in(5, 1),
        lambda: HandleParcelJob.check_arguments(1),
    ],
)
def test_a_class_that_is_only_a_base_for_others_is_not_pushed(redis: Redis, push: Callable[[], object]) -> None:
    with pytest.raises(JobError, match="HandleParcelJob has no perform; define it, or push a subclass that does"):
        push()


def test_a_job_class_can_be_looked_through_and_stood_in_for() -> None:
    stand_in = create_autospec(SendParcelJob)

    stand_in.perform_async(7)

    stand_in.perform_async.assert_called_once_with(7)


@pytest.mark.parametrize("name", ["", 7, None])
def test_a_wire_name_is_a_name(name: object) -> None:
    with pytest.raises(JobError, match=r"wire_name is .*; it must be a name"):
        type("SendWrongJob", (Job,), {"wire_name": name})


def test_two_classes_of_one_name_are_an_error_that_names_both_modules() -> None:
    with pytest.raises(DuplicateJobClass, match=f"one in {__name__}, one in elsewhere"):
        type("SendParcelJob", (Job,), {"__module__": "elsewhere"})


def test_jobs_pushed_while_a_firing_is_held_stay_with_it(redis: Redis) -> None:
    with holding("nightly", 1000, 500) as held:
        jid = SendParcelJob.perform_async(7)
        [second] = SendParcelJob.perform_bulk([[8]])

    assert not redis.exists("queue:default")
    assert held.jids == [jid, second]
    assert [json.loads(push.payload)["clock"] for push in held.pushes] == [
        {"event": "nightly", "due": 1000, "previous": 500}
    ] * 2


class SendOldParcelJob(SendUrgentParcelJob):
    """The old name of SendUrgentParcelJob."""


def test_a_renamed_job_runs_payloads_of_both_names_and_keeps_the_options(redis: Redis) -> None:
    SendOldParcelJob.perform_async(7)

    [payload] = waiting(redis, "critical")
    assert (payload["class"], payload["retry"], payload["tags"]) == ("SendOldParcelJob", 3, ["post"])
    for name in ("SendOldParcelJob", "SendUrgentParcelJob"):
        assert registry.lookup(name).run(Context({"args": [7], "jid": "j"})) == "sent 7 letter"


def test_a_subclass_of_a_job_with_a_wire_name_has_a_name_of_its_own(redis: Redis) -> None:
    class ChargeOldCardJob(ChargeCardJob):
        pass

    ChargeOldCardJob.perform_async()

    assert waiting(redis)[0]["class"] == "ChargeOldCardJob"


def hidden(perform: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: perform(self)


class SendHiddenParcelJob(Job):
    @hidden
    async def perform(self) -> None: ...


def test_a_coroutine_that_a_decorator_hides_is_an_error_and_not_left_undone() -> None:
    with pytest.raises(JobError, match=r"SendHiddenParcelJob\.perform returned a coroutine that is never awaited"):
        SendHiddenParcelJob.perform_inline()


@pytest.mark.parametrize(("count", "attempt"), [(None, 1), (0, 2), (1, 3), (-1, 2)])
def test_the_attempt_is_counted_from_the_retries_and_a_retry_by_hand_is_no_first_run(
    count: int | None, attempt: int
) -> None:
    """ "Retry now" on Sidekiq's page takes one from the count: -1 after the first failure."""
    payload: dict[str, object] = {} if count is None else {"retry_count": count}

    assert Context(payload).attempt == attempt


def test_a_job_has_the_due_instants_of_its_event() -> None:
    due, previous = NOW, NOW - timedelta(days=1)
    firing = {"event": "nightly", "due": to_ms(due), "previous": to_ms(previous)}

    job = SendParcelJob.for_context(Context({"clock": firing}))
    pushed_by_hand = SendParcelJob.for_context(Context({}))

    assert (job.due_at, job.previous_due_at) == (due, previous)
    assert (pushed_by_hand.due_at, pushed_by_hand.previous_due_at) == (None, None)
