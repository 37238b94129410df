"""An action: the permission that it needs, the question before it, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clock.inspection.audit import Change, note_if_possible
from clock.web import responses
from clock.web.access import Permission
from clock.web.page import FORM_FIELD, Page, Visit
from clock.web.request import Response, cookie

DONE_COOKIE = "clock_done"
DONE_SECONDS = 5  # the next page shows it, and expires the cookie
MOST_NAMES = 20  # that a question lists


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
        section="",
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
    inputs: Sequence[Input] = (),
    is_danger: bool = False,
    **values: object,
) -> Question:
    """The question with the texts `KEY.title`, `KEY.text` and `KEY.button`, with `values` in their places."""
    title, text, button = (visit.texts(f"{key}.{part}", **values) for part in ("title", "text", "button"))
    return Question(title, text, button, names, inputs, is_danger)


def field(visit: Visit, name: str) -> str:
    """The first value of a field; empty without one."""
    values = fields(visit, name)
    return values[0] if values else ""


def fields(visit: Visit, name: str) -> Sequence[str]:
    """The values of a field of the submitted form, or of the query that the question was asked with."""
    request = visit.request
    return (request.form if request.method == "POST" else request.query).get(name, ())


def back_of(visit: Visit) -> str:
    """The page of the dashboard to go back to; the first page if the field names another site's."""
    link = field(visit, "back")
    is_ours = link.startswith(f"{visit.request.mount}/") and not link.startswith("//") and "\\" not in link
    return link if is_ours and link.isascii() and link.isprintable() else visit.request.link("/")


def done(visit: Visit, key: str, change: Change) -> Response:
    """Note the change in the audit log, and go back to the page of the action."""
    note_if_possible(visit.data.redis, change)
    return went_back(visit, f"{key}.{change.count}")


def went_back(visit: Visit, message: str) -> Response:
    """Go back to the page of the action; it shows the text `done.KEY` of a message KEY.COUNT."""
    made = cookie(visit.request, DONE_COOKIE, message, seconds=DONE_SECONDS)
    return responses.redirect(back_of(visit), made)


def expired(visit: Visit) -> tuple[str, ...]:
    """The header of the page that shows the action: later pages do not show it again."""
    return (cookie(visit.request, DONE_COOKIE, "", seconds=0),) if DONE_COOKIE in visit.request.cookies else ()


def message_of(visit: Visit) -> str:
    """The action that was just done, in words; empty without one."""
    key, _, count = visit.request.cookies.get(DONE_COOKIE, "").rpartition(".")
    is_known = count.isdecimal() and len(count) < 12 and visit.texts.has(f"done.{key}")
    return visit.texts(f"done.{key}", n=int(count)) if is_known else ""


def change(visit: Visit, what: str, target: str, count: int = 1) -> Change:
    """A change, for the audit log."""
    return Change(visit.access.user, what, target, count, visit.request.remote)
