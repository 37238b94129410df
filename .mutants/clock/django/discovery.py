"""The jobs and tasks of the project: the modules `jobs` and `tasks` of each application, and all below them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

MODULES = ("jobs", "tasks")


def import_jobs_of_applications() -> list[str]:
    """Import them; their names. Raises what a module raises."""
    return [name for app in apps.get_app_configs() for name in _modules_of(app)]


def _modules_of(app: AppConfig) -> Iterator[str]:
    if app.module is None:
        return
    for name in MODULES:
        if module_has_submodule(app.module, name):
            module = import_module(f"{app.name}.{name}")
            yield module.__name__
            yield from _below(module)


def _below(package: ModuleType) -> Iterator[str]:
    """Import the modules of a package, at any depth; none of a module."""
    for found in walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield import_module(found.name).__name__
