"""The address of a trace, to which the page of a job links."""

import pytest

from clock.errors import ConfigurationError
from clock.web.pages.job import TRACE_VARIABLE, trace_of, trace_url_in

URL = "https://traces.example.com/trace/{trace_id}"


def test_the_address_of_a_trace_is_that_of_the_environment() -> None:
    assert trace_url_in({}) == ""
    assert trace_url_in({TRACE_VARIABLE: f" {URL} "}) == URL


@pytest.mark.parametrize(
    "wrong",
    [
        "traces.example.com/{trace_id}",
        "https://traces.example.com/",
        "file:///{trace_id}",
        "https://[::1/{trace_id}",
    ],
)
def test_an_address_that_cannot_be_that_of_a_trace_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        trace_url_in({TRACE_VARIABLE: wrong})

    assert str(raised.value) == f"{TRACE_VARIABLE} is {wrong!r}; write {URL}"


def test_only_a_trace_in_w3cs_form_is_linked() -> None:
    assert trace_of({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}) == "a" * 32
    assert trace_of({"traceparent": "not one"}) == trace_of({}) == ""
