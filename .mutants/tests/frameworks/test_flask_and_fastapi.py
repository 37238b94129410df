"""`clock.flask` and `clock.fastapi` without processes of their own."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask, current_app
from redis import Redis

from clock import Job, server_middleware
from clock.config import load_config, use_application
from clock.errors import ConfigurationError, StoreUnavailable
from clock.fastapi import clock_lifespan, pusher
from clock.flask import Clock
from clock.job.registry import forget
from clock.store.server import connection


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    entries = server_middleware.entries
    monkeypatch.setattr(connection, "_application_url", connection._application_url)
    yield
    use_application({}, "")
    server_middleware.entries = entries


class NameApplicationJob(Job):
    def perform(self) -> str:
        return str(current_app.name)


class NameLaterJob(Job):
    async def perform(self) -> str:
        return str(current_app.name)


def test_jobs_run_in_the_context_of_the_application() -> None:
    Clock(Flask("shop"))

    assert NameApplicationJob.perform_inline() == "shop"
    assert asyncio.run(NameLaterJob.aperform_inline()) == "shop"


def test_the_applications_config_is_that_of_the_process() -> None:
    app = Flask("shop")
    app.config["CLOCK"] = {"concurrency": 7, "queues": ["mail"]}

    clock = Clock()
    clock.init_app(app)

    found = load_config({})
    assert (found.concurrency, found.queues) == (7, (("mail", 0),))
    assert app.extensions["clock"] is clock
    assert {"clock", "worker"} <= set(app.cli.commands)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"concurency": 7}, r'app\.config\["CLOCK"\] has unknown settings concurency; known: redis'),
        ({"concurrency": "many"}, "concurrency is 'many'; it must be"),
        ("redis://", "it must be a dict"),
    ],
)
def test_wrong_config_is_refused(given: object, message: str) -> None:
    app = Flask("shop")
    app.config["CLOCK"] = given

    with pytest.raises(ConfigurationError, match=message):
        Clock(app)


def test_a_dashboard_is_served_under_its_path() -> None:
    app = Flask("shop")
    app.add_url_rule("/clocks", view_func=lambda: "a page of the shop")

    def dashboard(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

    Clock(app).mount_dashboard("/clock", dashboard)

    client = app.test_client()
    assert client.get("/clock/queues").text == "/clock /queues"
    assert client.get("/clock").text == "/clock "
    assert client.get("/clocks").text == "a page of the shop"
    with pytest.raises(ConfigurationError, match="it must be like '/clock'"):
        Clock(app).mount_dashboard("clock/", dashboard)
    with pytest.raises(ConfigurationError, match="call init_app"):
        Clock().mount_dashboard("/clock", dashboard)


def test_a_lifespan_opens_the_connection_and_the_dependency_pushes(redis: Redis) -> None:
    async def live() -> str:
        async with clock_lifespan()(None):
            return await pusher()(NameApplicationJob)

    jid = asyncio.run(live())

    assert jid
    assert redis.llen("queue:default") == 1


@pytest.mark.parametrize("needs_redis", [False, True])
def test_an_application_starts_without_redis_unless_it_needs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, needs_redis: bool
) -> None:
    def away() -> None:
        raise StoreUnavailable("Redis is away.")

    monkeypatch.setattr("clock.fastapi.default", away)

    async def live() -> None:
        async with clock_lifespan(needs_redis=needs_redis)(None):
            pass

    if needs_redis:
        with pytest.raises(StoreUnavailable):
            asyncio.run(live())
    else:
        asyncio.run(live())
        assert "Pushes fail for now: Redis is away." in caplog.text


async def post(app: Any, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client, clock_lifespan()(app):
        return await client.post(path)


def test_the_applications_of_the_guide_push(redis: Redis) -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "web-frameworks.md").read_text()
    names: dict[str, Any] = {"__name__": "guide"}
    for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
        exec(block, names)  # noqa: S102  # our own guide
    use_application({}, "")

    try:
        posted = names["app"].test_client().post("/signups")
        sent = asyncio.run(post(names["api"], "/orders/7/receipt"))
    finally:
        forget(names["send_welcome"].job)
        forget(names["SendReceiptJob"])

    assert (posted.status_code, sent.status_code) == (200, 200)
    assert (redis.llen("queue:mail"), redis.llen("queue:default")) == (1, 1)
