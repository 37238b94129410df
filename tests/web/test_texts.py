from __future__ import annotations

import re
from pathlib import Path

import pytest

from clock.web import rendering
from clock.web.charts.marks import KINDS
from clock.web.texts import Texts

pytestmark = pytest.mark.text

ROOM = Path(rendering.__file__).parent
TEMPLATES = sorted((ROOM / "templates").glob("*.html"))
CODE = [*ROOM.rglob("*.py"), *TEMPLATES]
BRAND = {"clock", "·", "text/css", "/"}
#: What the code makes keys of: a word, a dot or an underscore, and what follows from data.
MADE = re.compile(r"""["'f]([a-z_{}.]+[._])["'{]""")


def _words(template: str) -> str:
    """What a template shows by itself: neither markup nor expressions."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", template, flags=re.S)
    return re.sub(r"<[^>]*>", " ", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_text_of_its_own(path: Path) -> None:
    found = set(re.findall(r"[A-Za-z]{2,}", _words(path.read_text()))) - BRAND

    assert not found


def test_every_text_that_is_asked_for_is_in_the_catalogue() -> None:
    texts = Texts()
    asked = {
        key
        for path in CODE
        for key in re.findall(r"""\b(?:t|texts|TEXTS)\(\s*["']([a-z_.0-9]+)["'][,)]""", path.read_text())
    }

    assert asked
    assert not [key for key in asked if not texts.has(key)]


def test_every_text_of_the_catalogue_is_used() -> None:
    code = "\n".join(path.read_text() for path in CODE)
    starts = set(re.findall(r"""(?=["'f]([\w.]+)["'{])""", code))  # of the keys that the code makes
    ends = set(re.findall(r"""(?=[}"]([._][\w.]+)")""", code))

    unused = []
    for key in Texts().by_key:
        name = re.sub(r"\.(one|many)$", "", key)
        head, _, part = name.rpartition(".")
        is_of_question = part in ("title", "text", "button") and f'"{head}"' in code
        places = [place for place in range(len(name)) if name[place] in "._"]
        is_made = any(name[: place + 1] in starts or name[place:] in ends for place in places)
        if not is_made and not is_of_question and name not in code:
            unused.append(key)

    assert not unused


@pytest.mark.parametrize("kind", KINDS)
def test_every_decision_has_its_word(kind: str) -> None:
    assert Texts().has(f"decision.{kind}")


def test_a_text_in_two_forms_is_chosen_by_its_number() -> None:
    texts = Texts()

    assert texts("queues.intro", n=1) == "1 job waits for a worker."
    assert texts("queues.intro", n=10_000_000) == "10,000,000 jobs wait for a worker."


def test_the_page_of_keys_lists_every_key_that_goes_to_a_page() -> None:
    [pages] = re.findall(r"const go = \{(.*?)\}", (ROOM / "static/dashboard.js").read_text())

    assert re.findall(r"g (\w)", Texts()("keyboard.go_key")) == re.findall(r"(\w):", pages)
