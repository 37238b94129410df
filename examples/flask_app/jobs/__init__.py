"""The jobs, and the context that they run in."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from flask import Flask

from clock import Job, server_middleware


@cache
def application() -> Flask:
    """The application, made when the first job runs: it imports the jobs itself."""
    made: Flask = import_module("app").create_app()
    return made


@server_middleware.add
@contextmanager
def within_application(job: Job, payload: dict[str, object], queue: str) -> Iterator[None]:
    """Run each job inside the application's context."""
    with application().app_context():
        yield
