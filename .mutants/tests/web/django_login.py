"""A Django project with its own login, a session and CSRF checks, that mounts the dashboard; run as a program.

    python -m tests.web.django_login REDIS_URL

Prints a line for each step. Anonymous visitors see nothing, users may read, staff may change.
"""

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a test",  # noqa: S106  # of this program alone
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402  # Django wants its settings first
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import re_path  # noqa: E402

from clock.clocks import SystemClock  # noqa: E402
from clock.rehearsal.sources import loads  # noqa: E402
from clock.store.server.connection import connect  # noqa: E402
from clock.web import Access, Dashboard, Request, Source  # noqa: E402
from clock.web.django_view import django_view  # noqa: E402


def access(request: Request) -> Access | None:
    """Who has logged in to Django may read; staff may do everything."""
    host: Any = request.original
    user = host.user
    if not user.is_authenticated:
        return None
    return Access.everything(user.username) if user.is_staff else Access(user.username)


TIMETABLE = loads("from clock import every\nevery().hour.do(print).named('reports')")
SOURCE = Source(connect(sys.argv[1], max_connections=4), TIMETABLE, SystemClock())
urlpatterns = [re_path(r"^clock(?P<path>/.*)?$", django_view(Dashboard(SOURCE, access=access)))]


def main() -> None:
    """Visit the dashboard as nobody, as a user and as staff."""
    call_command("migrate", verbosity=0)
    User.objects.create_user("bob", password="secret")  # noqa: S106  # of this program alone
    User.objects.create_user("ana", password="secret", is_staff=True)  # noqa: S106
    rows = [_row(user, secure) for user in ("", "bob", "ana") for secure in (False, True)]
    shown = _client("ana").get("/clock/").content.decode()
    end = [str("paused by ana" in shown), Client().get("/clock").headers["Location"]]
    sys.stdout.write("".join(" ".join(row) + "\n" for row in [*rows, end]))


def _client(user: str) -> Client:
    client = Client(enforce_csrf_checks=True)
    if user:
        assert client.login(username=user, password="secret")  # noqa: S106
    return client


def _row(user: str, secure: bool) -> list[str]:
    client = _client(user)
    page = client.get("/clock/", secure=secure)
    token = page.cookies.get("clock_token")
    body = f"event=reports&token={token.value if token else ''}"
    kind = "application/x-www-form-urlencoded"
    own, foreign = (
        client.post("/clock/act/pause", body, content_type=kind, secure=secure, headers=headers).status_code
        for headers in ({}, {"sec-fetch-site": "cross-site"})
    )
    is_shown, is_secure = "reports" in page.content.decode(), bool(token and token["secure"])
    return [user or "anonymous", *map(str, (page.status_code, is_shown, is_secure, foreign, own))]


if __name__ == "__main__":
    main()
