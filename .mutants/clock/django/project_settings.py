"""`settings.CLOCK`: the settings of clock.yml under the same names, and `enqueue_after_commit`.

Options of a command and environment variables come first, then `settings.CLOCK`, then config/clock.yml.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from clock.config import SETTINGS, use_application
from clock.errors import ConfigurationError
from clock.job import Job
from clock.job.after_commit import django_commit
from clock.store.server.connection import use_url

SOURCE = "settings.CLOCK"
AFTER_COMMIT = "enqueue_after_commit"
KNOWN = {*(setting.name for setting in SETTINGS), AFTER_COMMIT}


def given() -> Mapping[str, Any]:
    """`settings.CLOCK`, or nothing. Raises ImproperlyConfigured."""
    found = getattr(settings, "CLOCK", {})
    if not isinstance(found, Mapping):
        raise ImproperlyConfigured(
            f"CLOCK is a {type(found).__name__}; it must be a dict: {{'redis': 'redis://...'}}"
        )
    unknown = sorted(set(found) - KNOWN)
    if unknown:
        raise ImproperlyConfigured(
            f"CLOCK has unknown settings {', '.join(unknown)}; known: {', '.join(sorted(KNOWN))}"
        )
    return found


def apply() -> None:
    """Make the project's settings those of this process. Raises ImproperlyConfigured."""
    found = dict(given())
    after_commit = found.pop(AFTER_COMMIT, True)
    if not isinstance(after_commit, (bool, str)):
        raise ImproperlyConfigured(f"CLOCK[{AFTER_COMMIT!r}] must be True, False or the alias of a database")
    if after_commit:
        Job.enqueue_after_commit = django_commit(None if after_commit is True else after_commit)
    try:
        use_application({"queues": _queues(), **_of_folders(), **found}, SOURCE)
    except ConfigurationError as error:
        raise ImproperlyConfigured(str(error)) from error
    if "redis" in found:
        use_url(str(found["redis"]), SOURCE)


def _of_folders() -> dict[str, Any]:
    """No folder of jobs, unless there is one: jobs are found in the applications."""
    base = getattr(settings, "BASE_DIR", None)
    folders = {Path.cwd() / "jobs", *([Path(base) / "jobs"] if base else [])}
    return {} if any(folder.is_dir() for folder in folders) else {"require": ()}


def _queues() -> list[str]:
    """The queues of all task backends, the more urgent priorities first, and `default`."""
    by_band: dict[int, dict[str, None]] = {}
    for alias, params in getattr(settings, "TASKS", {}).items():
        if is_ours(params.get("BACKEND", "")):
            backend = import_string(params["BACKEND"])(alias, params)
            for place, names in enumerate(backend.queues_by_urgency()):
                by_band.setdefault(place, {}).update(dict.fromkeys(names))
    found = [name for place in sorted(by_band) for name in by_band[place]]
    return list(dict.fromkeys([*found, "default"]))


def is_ours(path: str) -> bool:
    """Whether that is the path of clock's task backend, or of a subclass."""
    try:
        return hasattr(import_string(path), "queues_by_urgency")
    except ImportError:
        return False  # Django's own check names it
