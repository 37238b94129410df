"""What a declaration says of an event's monitor."""

from datetime import timedelta

import pytest

from clock.timetable import Monitor
from clock.timetable.monitor import monitor_of

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("given", "monitor"),
    [
        (None, None),
        (False, None),
        (True, Monitor("nightly-mail", timedelta(minutes=5), timedelta(minutes=30))),
        ("mail_1", Monitor("mail_1")),
        ({}, Monitor("nightly-mail")),
        ({"slug": None, "grace": None}, Monitor("nightly-mail")),
        ({"slug": "mail", "grace": MINUTE, "max_runtime": "2 hours"}, Monitor("mail", MINUTE, 120 * MINUTE)),
        ({"max_runtime": 60}, Monitor("nightly-mail", max_runtime=MINUTE)),
    ],
)
def test_what_is_not_given_has_a_default(given: object, monitor: Monitor | None) -> None:
    assert monitor_of(given, "Nightly Mail!") == monitor


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("act('news') every day", "act-news-every-day"),
        ("-_ mail", "mail"),
        ("x" * 60, "x" * 50),
        ("x" * 49 + " y", "x" * 49),
        ("日次", "event"),
    ],
)
def test_a_name_becomes_a_slug_that_every_provider_accepts(name: str, slug: str) -> None:
    found = monitor_of(True, name)

    assert found
    assert found.slug == slug
    assert monitor_of(slug, name) == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("No Slug", "monitor is 'No Slug'; it must be True, a slug"),
        ("-x", "monitor is '-x'; it must be True, a slug"),
        ("x" * 51, "it must be True, a slug"),
        (5, "monitor is 5; it must be True, a slug"),
        ({"slag": "x"}, "monitor is {'slag': 'x'}; it must be True, a slug"),
        ({"grace": "soon"}, "grace: 'soon' has the unknown unit 'soon'"),
        ({"grace": 59}, "grace is 59; it must be at least a minute"),
        (
            {"max_runtime": timedelta(seconds=59)},
            "max_runtime is datetime.timedelta(seconds=59); it must be at least",
        ),
    ],
)
def test_a_wrong_monitor_is_refused_with_what_is_accepted(given: object, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # its text is compared below
        monitor_of(given, "mail")

    assert message in str(error.value)
