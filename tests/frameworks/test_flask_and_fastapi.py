"""`clock.flask` and `clock.fastapi` without processes of their own."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from flask import Flask, current_app
from flask.cli import cli as flask_command
from redis import Redis

from clock import Job, server_middleware
from clock.config import found_of_process, load_config, use_application
from clock.errors import ConfigurationError, JobError, StoreUnavailable
from clock.fastapi import clock_lifespan, pusher
from clock.flask import Clock, InvalidSettings
from clock.job.registry import forget
from clock.store.server import connection


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    entries = server_middleware.entries
    connection.set_default(None)  # a push opens it, and reads the settings
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
        ({"concurency": 7}, r'app\.config\["CLOCK"\]: unknown setting .concurency.; did you mean .concurrency.'),
        ({"redis": "redis://h:99999"}, "redis: 'redis://h:99999': the port is above 65535"),
        ({"redis_urls": ["redis://a", "http://b"]}, "redis_urls: 'http://b': it must start with"),
        ({"concurrency": "many"}, "concurrency is 'many'; it must be"),
        ("redis://", "it must be a dict"),
    ],
)
def test_wrong_config_is_refused(given: object, message: str) -> None:
    app = Flask("shop")
    app.config["CLOCK"] = given

    with pytest.raises(InvalidSettings, match=message):
        Clock(app)
    with pytest.raises(ConfigurationError, match=message):
        NameApplicationJob.perform_async()


def test_the_flask_command_prints_a_wrong_setting_as_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_with_typo.py").write_text(
        "from flask import Flask\nfrom clock.flask import Clock\n"
        "app = Flask('shop')\napp.config['CLOCK'] = {'reddis': 'x'}\nClock(app)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")

    for command in ("worker", "shell"):
        ended = CliRunner().invoke(flask_command, ["--app", "shop_with_typo", command])
        assert ended.exit_code == 1
        assert ended.output == ("Error: app.config[\"CLOCK\"]: unknown setting 'reddis'; did you mean 'redis'?\n")


def test_a_lifespan_with_an_invalid_url_is_refused_where_it_is_made() -> None:
    with pytest.raises(ConfigurationError, match=r"clock_lifespan\(redis=...\): 'localhost:6379': it must start"):
        clock_lifespan("localhost:6379")


def test_a_process_that_pushes_reads_the_url_in_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, redis: Redis
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/clock.yml").write_text(f"redis: {redis_url}\n")

    with closing(connection.connect()) as found:
        found.set("of the file", 1)

    assert redis.get("of the file") == b"1"


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
            with pytest.raises(JobError, match="push got <built-in function print>; it must be a job class"):
                await pusher()(print)  # type: ignore[arg-type]  # a function without @job
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


def test_a_lifespan_with_a_url_leaves_other_settings_of_the_process_as_they_are(redis_url: str) -> None:
    async def live() -> object:
        async with clock_lifespan(redis=redis_url)(None):
            return found_of_process("push_timeout").value

    use_application({"push_timeout": 8}, "settings.CLOCK")
    try:
        assert asyncio.run(live()) == 8
    finally:
        use_application({}, "")


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
