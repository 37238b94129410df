import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from clock import Discard, Job, client_middleware, server_middleware
from clock.errors import JobError
from clock.job import Context, note_expiry
from clock.job.middleware.chain import Chain, ServerMiddleware
from clock.job.payload import Payload
from clock.store.ledger.held_pushes import holding
from clock.store.server.connection import connect, set_default
from tests.job.redis_rows import delayed, waiting

seen: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


class ShowStepsJob(Job):
    tags = ("post",)

    def perform(self, word: str = "run") -> str:
        seen.append(word)
        return word


class ShowStepsLaterJob(Job):
    async def perform(self, word: str = "run") -> str:
        await asyncio.sleep(0)
        seen.append(word)
        return word


def noting(name: str) -> ServerMiddleware:
    @contextmanager
    def around(job: Job, payload: Payload, queue: str) -> Iterator[None]:
        seen.append(f"{name} begins")
        yield
        seen.append(f"{name} ends")

    return around


def run(job: type[Job], payload: Payload) -> Any:
    context = Context(payload, queue="low")
    return asyncio.run(job.arun(context)) if job.is_coroutine() else job.run(context)


@pytest.mark.parametrize(
    ("change", "order"),
    [
        (lambda chain: chain.add("c"), "abc"),
        (lambda chain: chain.add("a"), "ba"),
        (lambda chain: chain.prepend("c"), "cab"),
        (lambda chain: chain.prepend("b"), "ba"),
        (lambda chain: chain.remove("a"), "b"),
        (lambda chain: chain.remove("never there"), "ab"),
        (lambda chain: chain.insert_before("b", "c"), "acb"),
        (lambda chain: chain.insert_before("a", "b"), "ba"),
        (lambda chain: chain.insert_after("a", "c"), "acb"),
        (lambda chain: chain.insert_after("b", "a"), "ba"),
        (lambda chain: chain.clear(), ""),
    ],
)
def test_a_chain_is_put_in_order(change: Callable[[Any], object], order: str) -> None:
    chain: Any = Chain("a", "b")

    change(chain)

    assert "".join(chain) == order
    assert len(chain) == len(order)


def test_a_place_beside_what_is_not_in_the_chain_is_refused() -> None:
    with pytest.raises(JobError, match=r"lambda.* is not in this chain of middleware, which holds log_tags"):
        server_middleware.insert_after(lambda job, payload, queue: None, noting("x"))


@pytest.mark.parametrize("job", [ShowStepsJob, ShowStepsLaterJob])
def test_server_middleware_is_around_the_run_the_first_one_outermost(job: type[Job]) -> None:
    server_middleware.add(noting("outer"))
    server_middleware.add(noting("inner"))

    assert run(job, {"args": ["run"]}) == "run"

    assert seen == ["outer begins", "inner begins", "run", "inner ends", "outer ends"]


@pytest.mark.parametrize("job", [ShowStepsJob, ShowStepsLaterJob])
def test_server_middleware_is_called_with_job_payload_and_queue(job: type[Job]) -> None:
    @server_middleware.add
    def look(given: Job, payload: Payload, queue: str) -> None:
        seen.append(f"{type(given).__name__} {given.jid} {payload['own']} {queue}")

    run(job, {"jid": "j", "own": 7, "args": []})

    assert seen == [f"{job.__name__} j 7 low", "run"]


@pytest.mark.parametrize("job", [ShowStepsJob, ShowStepsLaterJob])
def test_server_middleware_may_drop_a_job_or_swallow_its_error(job: type[Job]) -> None:
    @server_middleware.add
    @contextmanager
    def calm(job: Job, payload: Payload, queue: str) -> Iterator[None]:
        try:
            yield
        except ZeroDivisionError:
            seen.append("calmed")

    @server_middleware.add
    def refuse(job: Job, payload: Payload, queue: str) -> None:
        raise payload["error"]  # type: ignore[misc]  # the test's own

    assert run(job, {"args": [], "error": ZeroDivisionError()}) is None
    with pytest.raises(Discard):
        run(job, {"args": [], "error": Discard("not today")})
    assert seen == ["calmed"]


@contextmanager
def without_yield(job: Job, payload: Payload, queue: str) -> Iterator[None]:
    seen.append("skips")
    if payload.get("runs"):
        yield


@asynccontextmanager
async def without_yield_later(job: Job, payload: Payload, queue: str) -> AsyncIterator[None]:
    seen.append("skips")
    if payload.get("runs"):
        yield


@pytest.mark.parametrize(
    ("job", "middleware"),
    [
        (ShowStepsJob, without_yield),
        (ShowStepsLaterJob, without_yield),
        (ShowStepsLaterJob, without_yield_later),
    ],
)
def test_a_job_whose_middleware_ends_without_its_yield_does_not_run(
    job: type[Job], middleware: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clock.job")
    server_middleware.add(noting("outer"))
    server_middleware.add(middleware)

    assert run(job, {"class": "ShowJob", "jid": "a1", "args": []}) is None
    assert seen == ["outer begins", "skips", "outer ends"]
    assert f"ShowJob a1 skipped: the middleware {middleware.__name__} ended without its yield" in caplog.text
    assert run(job, {"class": "ShowJob", "jid": "a1", "args": [], "runs": True}) == "run"


def never() -> Iterator[None]:
    yield from ()


@contextmanager
def failing_inside(job: Job, payload: Payload, queue: str) -> Iterator[None]:
    with contextmanager(never)():
        yield


@contextmanager
def raising_the_text(job: Job, payload: Payload, queue: str) -> Iterator[None]:
    if payload:
        raise RuntimeError("generator didn't yield")
    yield


class EnterNothingJob(Job):
    def perform(self) -> None:
        with contextmanager(never)():
            pass


@pytest.mark.parametrize(
    ("job", "middleware"),
    [
        (ShowStepsJob, failing_inside),
        (ShowStepsLaterJob, failing_inside),
        (ShowStepsJob, raising_the_text),
        (EnterNothingJob, noting("outer")),
    ],
)
def test_an_error_inside_a_middleware_or_a_job_is_no_skip(job: type[Job], middleware: Any) -> None:
    server_middleware.add(middleware)

    with pytest.raises(RuntimeError, match="generator didn't yield"):
        run(job, {"class": "ShowJob", "jid": "a1", "args": []})


async def veto(job: object, payload: object, queue: str) -> bool:
    return False


@pytest.mark.parametrize(
    "put", [lambda: client_middleware.add(veto), lambda: client_middleware.insert_before(note_expiry, veto)]
)
def test_middleware_that_nobody_would_await_is_refused(put: Callable[[], object]) -> None:
    with pytest.raises(
        JobError, match="the middleware veto is `async def`, which is never awaited; use a plain `def`"
    ):
        put()


@pytest.mark.parametrize("job", [ShowStepsJob, ShowStepsLaterJob])
def test_what_is_not_around_a_job_is_told_with_its_middleware(job: type[Job]) -> None:
    @server_middleware.add
    def around_nothing(job: Job, payload: Payload, queue: str) -> Any:
        yield

    with pytest.raises(JobError, match="the middleware around_nothing returned <generator"):
        run(job, {"args": ["x"]})


def test_an_asynchronous_context_manager_is_around_a_coroutine() -> None:
    @server_middleware.add
    @asynccontextmanager
    async def around(job: Job, payload: Payload, queue: str) -> AsyncIterator[None]:
        seen.append("begins")
        yield
        seen.append("ends")

    run(ShowStepsLaterJob, {"args": []})

    assert seen == ["begins", "run", "ends"]
    with pytest.raises(
        JobError, match=r"the middleware around returned .*an asynchronous one fits only `async def"
    ):
        run(ShowStepsJob, {"args": []})


def test_client_middleware_changes_what_is_pushed(redis: Redis) -> None:
    @client_middleware.add
    def label(job: type[Job], payload: Payload, queue: str) -> None:
        payload["tenant"] = f"{job.__name__} {queue}"
        payload["queue"] = "low"

    ShowStepsJob.perform_async("x")

    assert [row["tenant"] for row in waiting(redis, "low")] == ["ShowStepsJob default"]


@pytest.mark.parametrize("name", [None, "", 7])
def test_client_middleware_that_puts_no_name_of_a_queue_is_told(redis: Redis, name: object) -> None:
    @client_middleware.add
    def mislead(job: type[Job], payload: Payload, queue: str) -> None:
        payload["queue"] = name

    with pytest.raises(JobError, match=r"ShowStepsJob: client middleware put .* instead of a queue name"):
        ShowStepsJob.perform_async("x")

    assert redis.keys("*") == []


def test_client_middleware_stops_a_push_by_returning_false(redis: Redis) -> None:
    @client_middleware.add
    def stop(job: type[Job], payload: Payload, queue: str) -> bool | None:
        return False if payload["args"] == ["no"] else None

    assert ShowStepsJob.perform_async("no") == ""
    jids = ShowStepsJob.perform_bulk([["yes"], ["no"], ["yes too"]])

    assert [row["args"] for row in waiting(redis)] == [["yes"], ["yes too"]]
    assert [row["jid"] for row in waiting(redis)] == [jids[0], jids[2]]
    assert jids[1] == ""


def test_client_middleware_stops_a_run_in_this_process(redis: Redis) -> None:
    @client_middleware.add
    def stop(job: type[Job], payload: Payload, queue: str) -> bool:
        return False

    assert ShowStepsJob.perform_inline() is None
    assert asyncio.run(ShowStepsLaterJob.aperform_inline()) is None
    assert seen == []


def test_client_middleware_that_puts_a_value_that_json_does_not_support_is_named(redis: Redis) -> None:
    @client_middleware.add
    def mislead(job: type[Job], payload: Payload, queue: str) -> None:
        payload["tenant"] = object()

    with pytest.raises(JobError, match=r"^ShowStepsJob: the payload cannot be encoded as JSON: .* type object is"):
        ShowStepsJob.perform_async("x")

    assert redis.keys("*") == []


@pytest.mark.parametrize("awaited", [False, True])
def test_nothing_is_pushed_where_client_middleware_stops_all_jobs(redis: Redis, awaited: bool) -> None:
    @client_middleware.add
    def stop(job: type[Job], payload: Payload, queue: str) -> bool:
        return False

    many = [["no"]] * 3
    jids = asyncio.run(ShowStepsJob.aperform_bulk(many)) if awaited else ShowStepsJob.perform_bulk(many)

    assert jids == ["", "", ""]
    assert redis.keys("*") == []


def test_client_middleware_may_push_by_itself_also_while_many_are_pushed_on_one_connection(
    redis: Redis, redis_url: str
) -> None:
    @client_middleware.add
    def note(job: type[Job], payload: Payload, queue: str) -> None:
        if job is ShowStepsJob:
            ShowStepsLaterJob.perform_async("noted")

    with closing(connect(redis_url, max_connections=1)) as only:
        set_default(only)
        ShowStepsJob.perform_bulk([["x"], ["y"]])

    assert sorted(row["args"][0] for row in waiting(redis)) == ["noted", "noted", "x", "y"]


def test_client_middleware_sees_and_moves_when_a_job_is_due(redis: Redis) -> None:
    @client_middleware.add
    def later(job: type[Job], payload: Payload, queue: str) -> None:
        at = payload["at"]
        assert isinstance(at, float)
        payload["at"] = at + 10

    ShowStepsJob.perform_at(4_000_000_000.5, "x")

    [(row, score)] = delayed(redis)
    assert score == 4_000_000_010.5
    assert "at" not in row


@pytest.mark.parametrize("at", [4_000_000_000, datetime.fromtimestamp(4_000_000_000, UTC)])
def test_client_middleware_may_give_a_time_in_any_form(redis: Redis, at: object) -> None:
    @client_middleware.add
    def later(job: type[Job], payload: Payload, queue: str) -> None:
        payload["at"] = at

    ShowStepsJob.perform_async("x")

    [(row, score)] = delayed(redis)
    assert (score, "at" in row, "enqueued_at" in row) == (4e9, False, False)


def test_a_push_returns_the_jid_that_client_middleware_gave_it(redis: Redis) -> None:
    @client_middleware.add
    def name(job: type[Job], payload: Payload, queue: str) -> None:
        payload["jid"] = "order-7"

    assert ShowStepsJob.perform_async("x") == "order-7"
    assert [row["jid"] for row in waiting(redis)] == ["order-7"]


def test_each_job_of_a_firing_has_a_jid_of_its_own_also_where_one_was_replaced_by_another() -> None:
    @client_middleware.add
    def replace(job: type[Job], payload: Payload, queue: str) -> bool | None:
        if payload["args"] != ["old"]:
            return None
        ShowStepsJob.perform_async("new")
        return False

    with holding("nightly", 1000, None) as held:
        ShowStepsJob.perform_async("old")
        ShowStepsJob.perform_async("next")

    jids = [json.loads(push.payload)["jid"] for push in held.pushes]
    assert jids == held.jids
    assert len(set(jids)) == 2


def test_the_log_lines_of_a_job_carry_its_jid_class_and_tags() -> None:
    extras: list[Any] = []

    @server_middleware.add
    def look(job: Job, payload: Payload, queue: str) -> None:
        extras.append(job.logger.extra)

    run(ShowStepsJob, {"jid": "j", "args": [], "tags": ["post", "due"]})
    run(ShowStepsJob, {"jid": "k", "args": []})

    assert extras == [
        {"jid": "j", "class": "ShowStepsJob", "tags": ["post", "due"]},
        {"jid": "k", "class": "ShowStepsJob"},
    ]
