"""The dashboard mounted in Django, Flask and FastAPI, each behind the host application's own login."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from redis import Redis

from clock.rehearsal.fake_clock import FakeClock
from clock.timetable import Timetable
from clock.web import Access, Dashboard, Request, Source
from tests.web.conftest import NOW

FORM = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def source(redis: Redis, timetable: Timetable) -> Source:
    """What all three mounts show."""
    return Source(redis, timetable, FakeClock(NOW))


def test_flask_lets_in_who_has_logged_in(source: Source) -> None:
    flask = pytest.importorskip("flask")
    dispatcher = pytest.importorskip("werkzeug.middleware.dispatcher")
    app = flask.Flask("shop")
    app.secret_key = "secret"  # noqa: S105  # a test's own

    def log_in() -> str:
        flask.session["user"] = "ana"
        return "in"

    def access(request: Request) -> Access | None:
        session = app.session_interface.open_session(app, flask.Request(request.original))
        return Access.everything(session["user"]) if session and "user" in session else None

    app.add_url_rule("/login", view_func=log_in)
    app.wsgi_app = dispatcher.DispatcherMiddleware(app.wsgi_app, {"/clock": Dashboard(source, access=access).wsgi})
    client = app.test_client()

    assert client.get("/clock/").status_code == 403
    client.get("/login")
    assert "reminders" in client.get("/clock/").text
    assert client.post("/clock/act/pause", data={"event": "reminders"}, headers=FORM).status_code == 303
    assert "paused by ana" in client.get("/clock/").text


def test_fastapi_lets_in_who_has_logged_in(source: Source) -> None:
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    sessions = pytest.importorskip("starlette.middleware.sessions")
    app = fastapi.FastAPI()
    app.add_middleware(sessions.SessionMiddleware, secret_key="secret")  # noqa: S106  # a test's own

    def log_in(request: Any) -> str:
        request.session["user"] = "ana"
        return "in"

    def access(request: Request) -> Access | None:
        scope: Any = request.original
        return Access.everything(scope["session"]["user"]) if "user" in scope["session"] else None

    log_in.__annotations__["request"] = fastapi.Request
    app.add_api_route("/login", log_in)
    app.mount("/clock", Dashboard(source, access=access).asgi)
    client = testclient.TestClient(app, follow_redirects=False)

    assert client.get("/clock/").status_code == 403
    client.get("/login")
    assert "reminders" in client.get("/clock/").text
    assert client.post("/clock/act/pause", data={"event": "reminders"}, headers=FORM).status_code == 303
    assert "paused by ana" in client.get("/clock/").text


def test_django_lets_in_who_has_logged_in(source: Source) -> None:
    django_http = pytest.importorskip("django.http")
    pytest.importorskip("tests.job.django_here")  # it sets Django up for all tests of a process
    from clock.web.django_view import django_view

    def access(request: Request) -> Access | None:
        host_request: Any = request.original
        return Access.everything(host_request.user) if host_request.user else None

    view = django_view(Dashboard(source, access=access))

    def ask(path: str, user: str | None, method: str = "GET", body: bytes = b"") -> Any:
        request = django_http.HttpRequest()
        request.method, request.path, request.user, request._body = method, f"/clock{path}", user, body
        kind = "application/x-www-form-urlencoded"
        request.META |= {"HTTP_SEC_FETCH_SITE": "same-origin", "CONTENT_TYPE": kind, "REMOTE_ADDR": "127.0.0.1"}
        return view(request, path)

    assert ask("/", None).status_code == 403
    assert b'href="/clock/queues"' in ask("/", "ana").content
    assert ask("/act/pause", "ana", "POST", b"event=reminders").status_code == 303
    assert b"paused by ana" in ask("/", "ana").content
    assert ask("", "ana").headers["Location"] == "/clock/"


@pytest.mark.process
def test_djangos_own_login_session_and_csrf_check_guard_the_dashboard(redis: Redis, redis_url: str) -> None:
    """Columns: user, status, whether the event is shown, Secure cookie, a foreign form, a form of the page."""
    pytest.importorskip("django")
    command = [sys.executable, "-m", "tests.web.django_login", redis_url]

    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert found.stdout.splitlines() == [
        "anonymous 403 False False 403 403",
        "anonymous 403 False False 403 403",
        "bob 200 True False 403 403",
        "bob 200 True True 403 403",
        "ana 200 True False 403 303",
        "ana 200 True True 403 303",
        "True /clock/",
    ], found.stderr
