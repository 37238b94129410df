"""An action: the permission that it needs, the question before it, and the function that does it.

Each form is carried out once, however often and to whichever web process it is sent. It has a random id. The first
request with an id claims it in Redis, then acts. Later ones change nothing and go back to the page of the action.
If the action fails, the claim is released, and the form may be sent again. If the process dies in between, or
Redis does not answer, nobody knows what was done. Then the claim stays: the user opens the form again and sees the
state.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clock.errors import StoreError
from clock.inspection import sent_forms
from clock.inspection.audit import Change, note_if_possible
from clock.web.access import Permission
from clock.web.http import Response, cookie
from clock.web.inputs import BadInput
from clock.web.page import FORM_FIELD, Page, Visit

DONE_COOKIE = "clock_done"
DONE_SECONDS = 5  # the next page shows it, and expires the cookie
MOST_NAMES = 20  # that a question lists
ID_BYTES = 12
ID = re.compile(r"[A-Za-z0-9_-]{16}")


@dataclass(frozen=True, slots=True)
class Input:
    """A field that the user fills in; with `choices` (value, text) it is a list to choose from."""

    name: str
    label: str
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """The question before an action: title, text, the names of the changed things, and the word on its button.

    Without a word there is nothing to do, and the page has no button.
    """

    title: str
    text: str
    button: str
    names: Sequence[str] = ()
    inputs: Sequence[Input] = ()
    is_danger: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """`permission` None: each visitor may do it, so it writes nothing to Redis.

    `do` gets a visit whose form comes from a page of the dashboard.
    """

    permission: Permission | None
    ask: Callable[[Visit], Question]
    do: Callable[[Visit], Response | Page]


def confirm_page(name: str, action: Action, visit: Visit) -> Page:
    """The question, with the fields of the query kept for the answer."""
    question = action.ask(visit)
    may = action.permission is None or visit.access.allows(action.permission)
    fields = [
        (key, value)
        for key, values in visit.request.query.items()
        for value in values
        if key not in ("format", FORM_FIELD)
    ]
    return Page(
        template="confirm",
        title=question.title,
        json=lambda: {"action": name, "permission": action.permission, "allowed": may, "fields": fields},
        view={
            "question": question,
            "names": question.names[:MOST_NAMES],
            "left_out": max(0, len(question.names) - MOST_NAMES),
            "fields": fields,
            "name": name,
            "may": may,
            "permission": action.permission,
            "back": back_of(visit),
        },
        refreshes=False,
    )


def question(
    visit: Visit,
    key: str,
    names: Sequence[str] = (),
    *,
    text: str = "",
    inputs: Sequence[Input] = (),
    is_danger: bool = False,
    **values: object,
) -> Question:
    """The question with the texts `KEY.title`, `KEY.text` (or `text`) and `KEY.button`, with `values` in them."""
    keys = f"{key}.title", text or f"{key}.text", f"{key}.button"
    title, shown, button = (visit.texts(each, **values) for each in keys)
    return Question(title, shown, button, names, inputs, is_danger)


def back_of(visit: Visit) -> str:
    """The page of the dashboard to go back to; the first page if the field names another site's."""
    link = visit.field("back")
    is_ours = link.startswith(f"{visit.request.mount}/") and not link.startswith("//") and "\\" not in link
    return link if is_ours and link.isascii() and link.isprintable() else visit.request.link("/")


def done(visit: Visit, key: str, target: str, count: int = 1) -> Response:
    """Note the change in the audit log, and go back to the page of the action."""
    note(visit, key, target, count)
    return went_back(visit, key, count)


def note(visit: Visit, what: str, target: str, count: int) -> None:
    """Note a change in the audit log."""
    note_if_possible(visit.data.redis, Change(visit.access.user, what, target, count, visit.request.remote))


def went_back(visit: Visit, key: str, count: int = 1) -> Response:
    """Go back to the page of the action; it shows the text `done.KEY` for `count`."""
    return redirect(visit, cookie(visit.request, DONE_COOKIE, f"{key}.{count}", seconds=DONE_SECONDS))


def redirect(visit: Visit, *cookies: str) -> Response:
    """Go back to the page of the action."""
    return Response(status=303, headers={"location": back_of(visit)}, cookies=cookies)


def expired(visit: Visit) -> tuple[str, ...]:
    """The header of the page that shows the action: later pages do not show it again."""
    return (cookie(visit.request, DONE_COOKIE, "", seconds=0),) if DONE_COOKIE in visit.request.cookies else ()


def message_of(visit: Visit) -> str:
    """The action that was just done, in words; empty without one."""
    key, _, count = visit.request.cookies.get(DONE_COOKIE, "").rpartition(".")
    is_known = count.isdecimal() and len(count) < 12 and visit.texts.has(f"done.{key}")
    return visit.texts(f"done.{key}", n=int(count)) if is_known else ""


def new_form_id() -> str:
    """An id for a form."""
    return secrets.token_urlsafe(ID_BYTES)


def carry_out(visit: Visit, act: Callable[[Visit], Response | Page]) -> Response | Page:
    """The answer of an action, or the way back if its form was sent before. A form without an id always acts.

    If the form was sent before, its action was carried out, is running, or died with its process.
    """
    form = visit.field(FORM_FIELD)
    if not form:
        return act(visit)
    if not ID.fullmatch(form):
        raise BadInput(visit.texts("bad.form", name=FORM_FIELD))
    if not sent_forms.claim(visit.data.redis, form):
        return went_back(visit, "sent_before")
    try:
        return act(visit)
    except StoreError:
        raise
    except Exception:
        sent_forms.release(visit.data.redis, form)
        raise
