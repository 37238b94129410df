"""The jobs and tasks of the project: the modules `jobs` and `tasks` of each application, and all below them."""

from __future__ import annotations

import sys
from pathlib import Path
from pkgutil import walk_packages

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from clock.job.registry import import_job_module

MODULES = ("jobs", "tasks")


def import_jobs_of_applications() -> None:
    """Import them. Raises ConfigurationError for a module that cannot be imported: file and line."""
    for app in apps.get_app_configs():
        for name in MODULES:
            if module_has_submodule(app.module, name):
                _import_all(f"{app.name}.{name}", Path(app.path, name))


def _import_all(name: str, path: Path) -> None:
    """Import a module and, if it is a package, all modules in it, at any depth."""
    import_job_module(name, path)
    for found in walk_packages(getattr(sys.modules[name], "__path__", ()), f"{name}."):
        import_job_module(found.name, Path(*found.name.split(".")))
