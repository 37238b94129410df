"""The limits in a payload, as the worker finds them without decoding it."""

import pytest

from clock.store.jobs.moves import limits_if_any

ONE = b'{"limits":[{"name":"crm","max":2}]'
TWO = b'{"limits":[{"name":"a","max":1},{"name":"b","max":2}]'


@pytest.mark.parametrize(
    ("payload", "limits"),
    [
        (ONE + b',"args":[1]}', ONE),
        (TWO + b',"rates":[]}', TWO),
        (b'{"limits":[],"rates":[{"name":"mail"}]}', None),
        (b'{"class":"J","args":[]}', None),
        (b'{"class":"J","limits":[{"name":"crm","max":2}]}', b""),
        (b'{"limits": [{"name": "crm", "max": 2}]}', b""),
        (b'{"class":"J","args":["limits\\""]}', None),
        (b'{"class":"J","args":["no limits"]}', b""),
    ],
)
def test_the_limits_of_a_payload_are_its_start_if_it_is_ours(payload: bytes, limits: bytes | None) -> None:
    assert limits_if_any(payload) == limits
