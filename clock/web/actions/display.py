"""The viewer's theme and time zone, kept in cookies. Everybody may choose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from clock.web import responses
from clock.web.actions.action import Action, back_of, field, question
from clock.web.input.inputs import BadInput, choice
from clock.web.page import THEME_COOKIE, THEMES, ZONE_COOKIE, Page, Visit, zone_named
from clock.web.request import Response, cookie

YEAR_SECONDS = 365 * 24 * 3600


def _do(visit: Visit) -> Response | Page:
    theme, zone = choice("theme", field(visit, "theme"), THEMES), field(visit, "zone")
    if zone and zone_named(zone) is None:
        raise BadInput(visit.texts("display.bad_zone", zone=zone))
    values = {THEME_COOKIE: theme, ZONE_COOKIE: zone}
    made = [cookie(visit.request, name, value, seconds=YEAR_SECONDS) for name, value in values.items()]
    return responses.redirect(back_of(visit), *made)


DISPLAY: Mapping[str, Action] = {"display": Action(None, partial(question, key="display"), _do)}
