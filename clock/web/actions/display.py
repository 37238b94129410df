"""The viewer's theme and time zone, kept in cookies. Everybody may choose."""

from __future__ import annotations

from collections.abc import Mapping

from clock.errors import ClockError
from clock.web import responses
from clock.web.actions.action import Action, Question, back_of, field
from clock.web.page import THEME_COOKIE, THEMES, ZONE_COOKIE, Page, Visit, zone_named
from clock.web.request import Response, cookie

YEAR_SECONDS = 365 * 24 * 3600


def _ask(visit: Visit) -> Question:
    t = visit.texts
    return Question(t("display.title"), t("display.text"), t("display.button"))


def _do(visit: Visit) -> Response | Page:
    theme, zone = field(visit, "theme"), field(visit, "zone")
    if zone and zone_named(zone) is None:
        raise ClockError(visit.texts("display.bad_zone", zone=zone))
    values = {THEME_COOKIE: theme if theme in THEMES else "", ZONE_COOKIE: zone}
    mount = visit.request.mount
    made = [cookie(name, value, path=mount, seconds=YEAR_SECONDS, secure=False) for name, value in values.items()]
    return responses.redirect(back_of(visit), *made)


DISPLAY: Mapping[str, Action] = {"display": Action(None, _ask, _do)}
