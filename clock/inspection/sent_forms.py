"""Forms that were sent: a form that is sent twice is carried out once."""

from clock.store.sent_forms import claim, release

__all__ = ["claim", "release"]
