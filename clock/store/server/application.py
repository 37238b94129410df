"""The settings that an application gives in Python, with a complete check of the URLs of Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clock.config import refuse_application, use_application
from clock.config.setting_types import Kind
from clock.errors import ConfigurationError
from clock.store.server import address


def use_settings(
    given: object,
    source: str,
    *,
    own: Mapping[str, Kind] | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Mapping[str, object]:
    """Set the settings of the loaded application as `use_application` does, and check the URLs of Redis.

    Raises ConfigurationError. Pushes of this process raise it, too, until a call succeeds.
    """
    try:
        found = use_application(given, source, own=own, defaults=defaults)
        for name, url in _urls(given):
            check_url(url, f"{source}: {name}")
    except ConfigurationError as error:
        refuse_application(error)
        raise
    return found


def check_url(url: str, source: str) -> None:
    """Raise ConfigurationError with `source` if the URL is invalid. Nothing is opened."""
    try:
        address.read(url)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from None


def _urls(given: Any) -> Iterator[tuple[str, str]]:
    if given.get("redis"):
        yield "redis", str(given["redis"])
    several = given.get("redis_urls") or ()
    for url in several if isinstance(several, (list, tuple)) else ():  # a text was split into URLs
        yield "redis_urls", str(url)
