"""The dashboard as a Django view, for `urls.py`: `re_path(r"^clock(?P<path>/.*)?$", django_view(dashboard))`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt

from clock.web.dashboard import Dashboard
from clock.web.http import Request


def django_view(dashboard: Dashboard) -> Callable[..., Any]:
    """A view that answers below the path at which `urls.py` mounts it.

    The `access` function of the dashboard gets Django's request as `request.original`, with its user. The
    dashboard checks the origin of forms itself, so Django's own check is off.
    """

    @csrf_exempt  # type: ignore[untyped-decorator, unused-ignore]  # Django ships no types
    def view(request: Any, path: str | None = None) -> Any:
        if not path:
            return HttpResponseRedirect(f"{request.path}/")
        sent = b""
        with suppress(ValueError):  # its length in the header is not a number
            sent = request.body
        response = dashboard.handle(
            Request(
                method=request.method,
                path=path,
                query_string=request.META.get("QUERY_STRING", ""),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=sent,
                mount=request.path[: len(request.path) - len(path)],
                remote=request.META.get("REMOTE_ADDR", ""),
                original=request,
                is_https=request.is_secure(),
            )
        )
        body = b"" if request.method == "HEAD" else response.body
        made = HttpResponse(body, status=response.status)
        del made["Content-Type"]
        for name, value in response.header_list():
            if name == "set-cookie":
                made.cookies.load(value)
            else:
                made[name] = value
        return made

    return view  # type: ignore[no-any-return, unused-ignore]  # as above
