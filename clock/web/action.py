"""An action: the permission that it needs, its subject, the question before it, and the function that does it.

Each form is carried out once, however often and to whichever web process it is sent: the first request with the
random id of a form claims it in Redis. A failed action releases the claim. If the process dies in between, or
Redis does not answer, the claim stays: the user opens the form again and sees the state.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clock.errors import StoreError
from clock.inspection import audit, sent_forms
from clock.web.access import Permission
from clock.web.http import Response, cookie
from clock.web.inputs import BadInput
from clock.web.page import FORM_FIELD, Page, Visit

T = TypeVar("T")  # the subject of an action

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
    """The content of the page before an action: the names of the changed things, and the values in its texts.

    `text` is the key of a text other than `ACTION.text`. Without a button there is nothing to do.
    """

    names: Sequence[str] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    inputs: Sequence[Input] = ()
    text: str = ""
    has_button: bool = True


#: The target of a change, for the audit log, and how many things were changed.
Change = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Action(Generic[T]):
    """An action finds its subject, asks about it and, once the user has confirmed, does it.

    `permission` None: each visitor may do it, so it writes nothing to Redis. `do` gets a visit whose form comes
    from a page of the dashboard. A change that it returns is noted, and the user goes back.
    """

    permission: Permission | None
    do: Callable[[Visit, T], Change | Response | Page]
    find: Callable[[Visit], T]
    ask: Callable[[Visit, T], Question] = lambda visit, subject: Question()
    is_danger: bool = False


def nothing(visit: Visit) -> None:
    """The subject of an action that has none."""


def confirm_page(name: str, action: Action[Any], visit: Visit) -> Page:
    """The question, with the fields of the query kept for the answer."""
    t, question = visit.texts, action.ask(visit, action.find(visit))
    may = action.permission is None or visit.access.allows(action.permission)
    fields = [
        (key, value)
        for key, values in visit.request.query.items()
        for value in values
        if key not in ("format", FORM_FIELD)
    ]
    return Page(
        template="confirm",
        title=t(f"{name}.title" if question.has_button else f"{name}.nothing", **question.values),
        json=lambda: {"action": name, "permission": action.permission, "allowed": may, "fields": fields},
        view={
            "text": t(question.text or f"{name}.text", **question.values),
            "button": t(f"{name}.button") if question.has_button else "",
            "inputs": question.inputs,
            "is_danger": action.is_danger,
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


def carry_out(name: str, action: Action[Any], visit: Visit) -> Response | Page:
    """The answer of an action, or the way back if its form was sent before. A form without an id always acts."""
    form = visit.field(FORM_FIELD)
    if not form or action.permission is None:
        return _act(name, action, visit)
    if not ID.fullmatch(form):
        raise BadInput(visit.texts("bad.form", name=FORM_FIELD))
    if not sent_forms.claim(visit.data.redis, form):
        return went_back(visit, "sent_before")
    try:
        return _act(name, action, visit)
    except StoreError:
        raise
    except Exception:
        sent_forms.release(visit.data.redis, form)
        raise


def _act(name: str, action: Action[Any], visit: Visit) -> Response | Page:
    result = action.do(visit, action.find(visit))
    if not isinstance(result, tuple):
        return result
    target, count = result
    note(visit, name, target, count)
    return went_back(visit, name, count)


def back_of(visit: Visit) -> str:
    """The page of the dashboard to go back to; the first page if the field names another site's."""
    link = visit.field("back")
    is_ours = link.startswith(f"{visit.request.mount}/") and not link.startswith("//") and "\\" not in link
    return link if is_ours and link.isascii() and link.isprintable() else visit.request.link("/")


def note(visit: Visit, what: str, target: str, count: int) -> None:
    """Note a change in the audit log."""
    change = audit.Change(visit.access.user, what, target, count, visit.request.remote)
    audit.note_if_possible(visit.data.redis, change)


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
