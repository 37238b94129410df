"""Flask: `Clock(app)` gives jobs the application's settings and context, and the `flask` command two commands.

    app = Flask(__name__)
    app.config["CLOCK"] = {"redis": "redis://localhost:6379/0", "queues": ["mail", "default"]}
    clock = Clock(app)

`app.config["CLOCK"]` has the settings of config/clock.yml under the same names. Options of a command and
environment variables override it; it overrides the file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click
from flask import Flask
from flask.cli import ScriptInfo

from clock.cli import main, program
from clock.errors import ConfigurationError
from clock.job import server_middleware
from clock.store.server.application import use_settings

SOURCE = 'app.config["CLOCK"]'
AS_GIVEN: dict[str, Any] = {"ignore_unknown_options": True, "help_option_names": ()}  # for clock's command line

WsgiApp = Callable[..., Any]


class InvalidSettings(ConfigurationError, click.ClickException):
    """A setting in `app.config["CLOCK"]` is invalid. The command `flask` prints it as one line and exits 1."""


class Clock:
    """The extension. `Clock(app)`, or `clock = Clock()` and `clock.init_app(app)` in a factory.

    A process has the settings and the context of the application that called `init_app` last.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._app: Flask | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Use the application's settings, run each job in its context, add `flask clock` and `flask worker`.

        Raises InvalidSettings, a ConfigurationError, which names the setting and what it accepts.
        """
        try:
            defaults = {} if Path("jobs").is_dir() else {"require": ()}
            use_settings(app.config.get("CLOCK", {}), SOURCE, defaults=defaults)
        except ConfigurationError as error:
            raise InvalidSettings(str(error)) from None
        self._app = app
        app.extensions["clock"] = self
        server_middleware.add(self._around_job)
        app.cli.add_command(_command("clock", "Run the clock, or another command of clock: flask clock status."))
        app.cli.add_command(_command("worker", "Run jobs. Options: flask worker --help.", "worker"))

    def mount_dashboard(self, path: str, dashboard: WsgiApp) -> None:
        """Serve a dashboard's `wsgi` under `path`, such as "/clock".

        Raises ConfigurationError for an invalid path, and before `init_app`.
        """
        if self._app is None:
            raise ConfigurationError("Clock.mount_dashboard: call init_app(app) first")
        if not path.startswith("/") or path.endswith("/"):
            raise ConfigurationError(f"Clock.mount_dashboard: path is {path!r}; it must be like '/clock'")
        self._app.wsgi_app = _mounted(self._app.wsgi_app, path, dashboard)  # type: ignore[method-assign]  # Flask's way

    @contextmanager
    def _around_job(self, job: object, payload: Mapping[str, object], queue: str) -> Iterator[None]:
        """Server middleware: the job runs in the application's context."""
        assert self._app is not None  # noqa: S101  # init_app adds this middleware
        with self._app.app_context():
            yield


def _mounted(app: WsgiApp, path: str, mounted: WsgiApp) -> WsgiApp:
    """A WSGI application with another one under a path."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        asked = environ.get("PATH_INFO", "")
        if asked != path and not asked.startswith(f"{path}/"):
            return app(environ, start_response)
        script = environ.get("SCRIPT_NAME", "") + path
        return mounted({**environ, "SCRIPT_NAME": script, "PATH_INFO": asked[len(path) :]}, start_response)

    return application


def _command(name: str, about: str, *before: str) -> click.Command:
    """A command of `flask` that passes its words to clock's command line, after the words `before`."""

    @click.command(name, context_settings=AS_GIVEN, add_help_option=False, help=about)
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def run(context: click.Context, words: tuple[str, ...]) -> None:
        script = cast("ScriptInfo", context.find_object(ScriptInfo))
        script.load_app()  # its modules register the jobs
        app = ["--app", script.app_import_path] if script.app_import_path else []
        program.restarted_by("-m", "flask", *app, "clock")  # processes that it starts load the same application
        sys.argv = ["flask clock", *before, *words]
        main()

    return run
