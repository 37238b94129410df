"""Jobs that call a service of others by requests and by httpx, whose clients are seen, plain and asynchronous."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import httpx
import pytest
import requests

from clock import Job, testing
from tests.testing.orders import Orders, serving_orders

pytestmark = pytest.mark.slow


class Service:
    """Where the orders are."""

    url: ClassVar[str]


@pytest.fixture(scope="module", autouse=True)
def service() -> Iterator[None]:
    with serving_orders() as Service.url:
        yield


def fresh() -> None:
    Orders.known.clear()


def order(key: str) -> str:
    return f"{Service.url}/orders/{key}"


class OrderByRequestsJob(Job):
    def perform(self) -> None:
        requests.post(order(uuid4().hex), data=b"1", timeout=10).raise_for_status()


class OrderByRequestsWithKeyJob(Job):
    def perform(self) -> None:
        with requests.Session() as session:
            session.get(order(self.jid), timeout=10)
            session.post(order(self.jid), data=b"1", timeout=10).raise_for_status()


class OrderByAsyncClientJob(Job):
    async def perform(self) -> None:
        async with httpx.AsyncClient() as client:
            (await client.post(order(uuid4().hex), content=b"1")).raise_for_status()


class OrderByAsyncClientWithKeyJob(Job):
    async def perform(self) -> None:
        async with httpx.AsyncClient() as client:
            await client.get(order(self.jid))
            (await client.post(order(self.jid), content=b"1")).raise_for_status()


class OrderByClientWithKeyJob(Job):
    def perform(self) -> None:
        with httpx.Client() as client:
            client.get(order(self.jid))
            client.post(order(self.jid), content=b"1").raise_for_status()


class OrderByUrllibWithKeyJob(Job):
    def perform(self) -> None:
        with suppress(HTTPError), urlopen(order(self.jid), timeout=10):  # noqa: S310  # our own URL
            pass
        with urlopen(order(self.jid), data=b"1", timeout=10):  # noqa: S310  # our own URL
            pass


class OrderTwoAtOnceJob(Job):
    async def perform(self) -> None:
        async with httpx.AsyncClient() as client:
            await asyncio.gather(*(client.post(order(f"{self.jid}-{n}"), content=b"1") for n in range(2)))


@pytest.mark.parametrize("job", [OrderByRequestsJob, OrderByAsyncClientJob])
def test_an_order_without_a_key_is_found(job: type[Job]) -> None:
    with pytest.raises(AssertionError, match=r"is unsafe .*test_idempotency_http\.py:\d+ \(HTTP: POST\)"):
        testing.assert_idempotent(job, snapshot=lambda: len(Orders.known), fresh=fresh)


@pytest.mark.parametrize(
    "job",
    [
        OrderByRequestsWithKeyJob,
        OrderByAsyncClientWithKeyJob,
        OrderByClientWithKeyJob,
        OrderByUrllibWithKeyJob,
    ],
)
def test_one_with_a_key_is_not_accused_and_reading_is_no_effect(job: type[Job]) -> None:
    effects = testing.assert_idempotent(job, snapshot=lambda: len(Orders.known), fresh=fresh)

    assert [(effect.kind, effect.what) for effect in effects] == [("HTTP", "POST")]


def test_requests_that_are_under_way_together_are_each_an_effect() -> None:
    effects = testing.assert_idempotent(OrderTwoAtOnceJob, snapshot=lambda: len(Orders.known), fresh=fresh)

    assert len(effects) == 2
