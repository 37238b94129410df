"""The dashboard for `urls.py`: `path("clock/", include("clock.django.urls"))`. Needs the extra `web`.

Staff see it. Superusers may also change things. Others are sent to the login of the admin pages.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from clock.web import Access, Request, open_dashboard
from clock.web.django_view import django_view


def access(request: Request) -> Access | None:
    """The permissions of the signed-in user; None without staff status."""
    original: Any = request.original
    user = original.user
    if not (user.is_active and user.is_staff):
        return None
    name = user.get_username()
    return Access.everything(name) if user.is_superuser else Access(name)


@cache
def _view() -> Any:
    """The view, made with the first request: it connects to Redis and loads the clock file."""
    return django_view(open_dashboard(access=access))


@csrf_exempt  # the dashboard checks the origin of its forms itself
@staff_member_required
def dashboard(request: Any, path: str) -> Any:
    """Answer one request below the path of the include."""
    return _view()(request, f"/{path}")


urlpatterns = [re_path(r"^(?P<path>.*)$", dashboard, name="clock-dashboard")]
