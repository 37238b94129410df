"""The dashboard: a function from a request to a response, and how an application's settings open it.

A request passes, in this order: static files, the permission callback, the router. A request that changes
something also passes the check that it comes from a page of the dashboard.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from clock import errors
from clock.config import Config, load_config
from clock.import_path import add_application
from clock.inspection.opening import connected, redis_clock, redis_location
from clock.rehearsal.sources import timetable_of
from clock.web.access import Access, Gatekeeper, comes_from_here, token_cookie, token_of
from clock.web.action import carry_out, confirm_page, expired, message_of, new_form_id
from clock.web.adapters import as_asgi, as_wsgi
from clock.web.data import Data, Source
from clock.web.http import Request, Response, as_json, finished
from clock.web.inputs import LONGEST_DETAIL, BadInput, check_request
from clock.web.job_lists import shown_args
from clock.web.page import MENU, NotFound, Page, Show, Visit
from clock.web.pages import ACTIONS, PAGES
from clock.web.pages.job import trace_url_in
from clock.web.rendering import environment, static_files
from clock.web.texts import TEXTS

logger = logging.getLogger("clock.web")

#: error -> status and text of its page; the first kind that fits
FAULTS: Mapping[type[errors.ClockError], tuple[int, str]] = {
    errors.StoreUnavailable: (503, "unavailable"),
    errors.StoreError: (503, "refused"),
    errors.UnknownEvent: (404, "missing"),
    errors.InvalidCursor: (400, "bad"),
    errors.UnreadableTime: (400, "bad"),
    errors.ConfigurationError: (400, "bad"),
    errors.DeclarationError: (400, "bad"),
    errors.ScheduleConflict: (409, "bad"),
    errors.ClockError: (500, "failed"),  # the clock file's own code raised
}
READING, CHANGING = ("GET", "HEAD"), ("GET", "HEAD", "POST")

ACT = "/act/"
STATIC = "/static/"
CONNECTIONS = 10  # as many requests read at once; others wait a moment


class Dashboard:
    """The web application. A server or a framework mounts its `asgi` or `wsgi`.

    `access` returns the permissions of a visitor; it is called for each request. `sign_in` is the value of the
    `WWW-Authenticate` header for visitors without access; None: they get a page that explains it. `hosts` are the
    allowed names of the host, without port; None: any.
    """

    def __init__(
        self,
        source: Source,
        *,
        access: Gatekeeper,
        sign_in: str | None = None,
        hosts: Collection[str] | None = None,
    ) -> None:
        self._data = Data(source)
        self._access = access
        self._sign_in = sign_in
        self._hosts = hosts
        self.asgi = as_asgi(self.handle)
        self.wsgi = as_wsgi(self.handle)

    def handle(self, request: Request) -> Response:
        """Answer a request. Raises nothing: an error is a page."""
        return finished(request, self._answer(request))

    def _answer(self, request: Request) -> Response:
        if request.path.startswith(STATIC) and request.method in READING:
            return _static(request)
        try:
            host = re.sub(r":\d+$", "", request.headers.get("host", "").lower())
            access = self._access(request) if self._hosts is None or host in self._hosts else None
            if access is None:
                return self._refused(request)
            return self._allowed(request, access)
        except NotFound as error:
            return self._problem(request, 404, "missing", error.what)
        except BadInput as error:
            return self._problem(request, error.status, "bad", str(error))
        except (errors.ActionFailed, errors.BackfillFailed) as error:
            key = "action" if isinstance(error, errors.ActionFailed) else "backfill"
            logger.error("%r failed: %s", error.event, error.what, exc_info=error.__cause__)
            return self._problem(request, 422, key, f"{error.event}: {error.what}")
        except errors.ClockError as error:
            status, key = next(answer for kind, answer in FAULTS.items() if isinstance(error, kind))
            return self._problem(request, status, key, str(error))
        except Exception:
            logger.exception("The dashboard failed on %s %s", request.method, request.path)
            return self._problem(request, 500, "broken", "")

    def _allowed(self, request: Request, access: Access) -> Response:
        check_request(request)
        show = self._show(request)
        allowed = CHANGING if request.path.startswith(ACT) else READING
        if request.method not in allowed:
            methods = ", ".join(allowed)
            page = self._problem(request, 405, "method", TEXTS("problem.method.allowed", methods=methods))
            return replace(page, headers={**page.headers, "allow": methods})
        token = token_of(request)
        visit = Visit(request, access, self._data, self._data.now(), token)
        return self._act(visit) if request.method == "POST" else self._shown(visit, show(visit))

    def _show(self, request: Request) -> Show:
        name = request.path.removeprefix(ACT)
        if name in ACTIONS and request.path == ACT + name:
            return partial(confirm_page, name, ACTIONS[name])
        if request.path not in PAGES:
            raise NotFound(request.path)
        return PAGES[request.path]

    def _act(self, visit: Visit) -> Response:
        name = visit.request.path.removeprefix(ACT)
        if not comes_from_here(visit.request):
            return self._problem(visit.request, 403, "foreign", "")
        action = ACTIONS[name]
        if action.permission and not visit.access.allows(action.permission):
            return self._problem(visit.request, 403, "forbidden", action.permission)
        result = carry_out(name, action, visit)
        if action.permission:  # others change cookies: nothing in Redis, and nothing that other visitors see
            self._data.changed()
        return result if isinstance(result, Response) else self._shown(visit, result)

    def _shown(self, visit: Visit, page: Page) -> Response:
        if visit.request.wants_json:
            found = as_json(page.json())
            return replace(found, headers={**found.headers, **page.json_headers})
        values = {**_frame(visit, page), **page.view}
        body = environment().get_template(f"{page.template}.html").render(values)
        token = token_cookie(visit.request, visit.token)
        cookies = (*([token] if token else []), *expired(visit))
        return Response(body.encode(errors="replace"), cookies=cookies)

    def _refused(self, request: Request) -> Response:
        if self._sign_in is None:
            return self._problem(request, 403, "closed", "")
        headers = {"www-authenticate": self._sign_in}
        return Response(b"401 Unauthorized\n", 401, "text/plain; charset=utf-8", headers)

    def _problem(self, request: Request, status: int, key: str, detail: str) -> Response:
        detail = detail if len(detail) <= LONGEST_DETAIL else f"{detail[:LONGEST_DETAIL]}…"
        text = {"title": TEXTS(f"problem.{key}.title"), "text": TEXTS(f"problem.{key}.text")}
        if request.wants_json:
            return as_json({"error": text["title"], "detail": detail}, status)
        values = {**text, "detail": detail, "request": request, "theme": ""}
        return Response(environment().get_template("problem.html").render(values).encode(errors="replace"), status)


def _frame(visit: Visit, page: Page) -> Mapping[str, object]:
    """The values of every page's frame, and the functions that templates call."""
    workers = visit.data.status().workers
    return {
        "visit": visit,
        "request": visit.request,
        "link": visit.request.link,
        "access": visit.access,
        "now": visit.now,
        "theme": visit.theme,
        "page": page,
        "title": page.title or visit.texts(f"{page.template}.title"),
        "section": page.section or page.template,
        "status": visit.data.status(),
        "source": visit.data.source,
        "busy": sum(worker.busy for worker in workers),
        "threads": sum(worker.concurrency for worker in workers),
        "event_count": len(visit.data.event_names()),
        "message": message_of(visit),
        "args_of": lambda job: shown_args(visit, job),
        "new_form_id": new_form_id,
        "MENU": MENU,
    }


def _static(request: Request) -> Response:
    found = static_files().get(request.path.removeprefix(STATIC))
    if found is None:
        return Response(b"404 Not Found\n", 404, "text/plain; charset=utf-8")
    lasting = "public, max-age=31536000, immutable" if request.get("v") else "no-cache"
    return Response(found[0], 200, found[1], {"cache-control": lasting})


def open_dashboard(
    *, access: Gatekeeper, clock_file: Path | str | None = None, redis: str | None = None
) -> Dashboard:
    """A dashboard to mount in an application: a framework mounts its `.asgi` or `.wsgi`.

    `access` decides, for each request, what the user may see and do: an `Access`, or None for no access.
    `clock_file` and `redis` override the environment and config/clock.yml. Raises ConfigurationError,
    DeclarationError, StoreUnavailable.
    """
    given = {"clock_file": None if clock_file is None else Path(clock_file), "redis": redis}
    config = load_config({name: value for name, value in given.items() if value is not None})
    return Dashboard(source_of(config, is_named=clock_file is not None), access=access)


def source_of(config: Config, *, is_named: bool = False) -> Source:
    """The dashboard of the application's settings. A clock file that `is_named` by the caller must exist.

    Raises DeclarationError, StoreUnavailable, StoreError, ConfigurationError.
    """
    redis = connected(config, CONNECTIONS)
    clock = redis_clock(redis)
    has_file = is_named or config.clock_file.exists() or bool(config.schedule)
    if has_file:
        add_application(config.clock_file)
    return Source(
        redis=redis,
        timetable=timetable_of(config) if has_file else None,
        clock=clock,
        url=config.redis or "",
        place=redis_location(config),
        trace_url=trace_url_in(os.environ),
    )
