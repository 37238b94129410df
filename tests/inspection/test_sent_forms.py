"""Forms of the dashboard act once."""

from redis import Redis

from clock.inspection import sent_forms
from clock.store import keys


def test_a_form_is_claimed_once_in_a_day_and_again_if_its_action_failed(redis: Redis) -> None:
    assert sent_forms.claim(redis, "f1")
    assert not sent_forms.claim(redis, "f1")
    assert sent_forms.claim(redis, "f2")
    assert 86_390 < redis.ttl(keys.SENT_FORM + "f1") <= 86_400

    sent_forms.release(redis, "f1")

    assert sent_forms.claim(redis, "f1")
    assert not sent_forms.claim(redis, "f2")
