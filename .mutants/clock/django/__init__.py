"""Django: put "clock.django" into INSTALLED_APPS.

    INSTALLED_APPS = [..., "clock.django"]
    CLOCK = {"redis": "redis://localhost:6379/0"}
    TASKS = {"default": {"BACKEND": "clock.django.TaskBackend"}}

Nothing here imports Django's models before its apps are loaded.
"""

from __future__ import annotations

from importlib import import_module

_PLACES = {
    "ClockTask": "clock.django.task_backend",
    "TaskBackend": "clock.django.task_backend",
    "database_events": "clock.django.event_rows",
}

__all__ = ["ClockTask", "TaskBackend", "database_events"]  # see __getattr__


def __getattr__(name: str) -> object:
    """The names that need a Django whose settings are there."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
