"""Carries out each form once, however often and to whichever web process it is sent.

Each form has a random id. The first request with an id claims it in Redis, then acts. Later ones change nothing
and go back to the page of the action. If the action fails, the claim is released, and the form may be sent again.
If the process dies in between, or Redis does not answer, nobody knows what was done. Then the claim stays: the
user opens the form again and sees the state.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from clock.errors import StoreError
from clock.inspection import sent_forms
from clock.web.actions.action import field, went_back
from clock.web.input.inputs import BadInput
from clock.web.page import FORM_FIELD, Page, Visit
from clock.web.request import Response

ID_BYTES = 12
ID = re.compile(r"[A-Za-z0-9_-]{16}")


def new_form_id() -> str:
    """An id for a form."""
    return secrets.token_urlsafe(ID_BYTES)


def carry_out(visit: Visit, act: Callable[[Visit], Response | Page]) -> Response | Page:
    """The answer of an action, or the way back if its form was sent before. A form without an id always acts.

    If the form was sent before, its action was carried out, is running, or died with its process.
    """
    form = field(visit, FORM_FIELD)
    if not form:
        return act(visit)
    if not ID.fullmatch(form):
        raise BadInput(visit.texts("bad.form", name=FORM_FIELD))
    if not sent_forms.claim(visit.data.redis, form):
        return went_back(visit, "sent_before.1")
    try:
        return act(visit)
    except StoreError:
        raise
    except Exception:
        sent_forms.release(visit.data.redis, form)
        raise
