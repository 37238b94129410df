"""The jobs and tasks of the project: the modules `jobs` and `tasks` of each application, and all below them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

from clock.job.registry import import_job_module

MODULES = ("jobs", "tasks")


def import_jobs_of_applications() -> list[str]:
    """Import them; their names. Raises ConfigurationError for a module that cannot be imported: file and line."""
    return [name for app in apps.get_app_configs() for name in _modules_of(app)]


def _modules_of(app: AppConfig) -> Iterator[str]:
    for name in MODULES:
        if module_has_submodule(app.module, name):
            module = _imported(f"{app.name}.{name}", Path(app.path, name))
            yield module.__name__
            yield from _below(module)


def _below(package: ModuleType) -> Iterator[str]:
    """Import the modules of a package, at any depth; none of a module."""
    for found in walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield _imported(found.name, Path(*found.name.split("."))).__name__


def _imported(name: str, path: Path) -> ModuleType:
    import_job_module(name, path)
    return sys.modules[name]
