"""The project as clock uses it: `settings.CLOCK`, and the jobs and tasks of its applications.

`settings.CLOCK` has the settings of clock.yml under the same names, and `enqueue_after_commit`. Options of a
command and environment variables come first, then `settings.CLOCK`, then config/clock.yml.
"""

from __future__ import annotations

import sys
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string, module_has_submodule

from clock.config.setting_types import Kind
from clock.errors import ConfigurationError
from clock.job import Job
from clock.job.after_commit import django_commit
from clock.job.registry import import_job_module
from clock.store.server.application import use_settings

SOURCE = "settings.CLOCK"
AFTER_COMMIT = "enqueue_after_commit"
MODULES = ("jobs", "tasks")


def apply() -> None:
    """Make the project's settings those of this process. Raises ImproperlyConfigured."""
    defaults = {"queues": _queues(), AFTER_COMMIT: True, **_of_folders()}
    try:
        own = use_settings(getattr(settings, "CLOCK", {}), SOURCE, own={AFTER_COMMIT: COMMIT}, defaults=defaults)
    except ConfigurationError as error:
        raise ImproperlyConfigured(str(error)) from None
    after_commit = own[AFTER_COMMIT]
    if after_commit:
        Job.enqueue_after_commit = django_commit(None if after_commit is True else str(after_commit))


def _after_commit(value: object) -> bool | str:
    """Whether jobs wait for the transaction, or the alias of its database. Raises ValueError."""
    if isinstance(value, bool) or (isinstance(value, str) and value in settings.DATABASES):
        return value
    raise ValueError


COMMIT = Kind(_after_commit, "it must be True, False or an alias of settings.DATABASES", {})


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


def import_jobs_of_applications() -> None:
    """Import the modules `jobs` and `tasks` of each application, and all below them.

    Raises ConfigurationError for a module that cannot be imported: file and line.
    """
    for app in apps.get_app_configs():
        for name in MODULES:
            if module_has_submodule(app.module, name):
                _import_all(f"{app.name}.{name}", Path(app.path, name))


def _import_all(name: str, path: Path) -> None:
    """Import a module and, if it is a package, all modules in it, at any depth."""
    import_job_module(name, path)
    for found in walk_packages(getattr(sys.modules[name], "__path__", ()), f"{name}."):
        import_job_module(found.name, Path(*found.name.split(".")))
