"""`clock web`: the dashboard."""

from __future__ import annotations

import gc
import importlib.util
import ipaddress
import os
import socket
from contextlib import suppress
from typing import Any

import click

from clock.cli.options import GivenPath, settings, shared_options
from clock.cli.output import echo
from clock.cli.reloading import reload_option
from clock.errors import ConfigurationError
from clock.import_path import own_imports

HOST, PORT = "127.0.0.1", 8025
USER, PASSWORD = "CLOCK_WEB_USER", "CLOCK_WEB_PASSWORD"  # names of variables
NEEDED = ("jinja2", "uvicorn")


@click.command()
@click.argument("clock_file", required=False, type=GivenPath())
@click.option("--host", default=HOST, show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", "-p", default=PORT, show_default=True, type=click.IntRange(0, 65_535), help="Port.")
@click.option("--allow-write", is_flag=True, help="Allow changes: pause, run, retry, delete, quiet.")
@click.option("--fd", type=click.IntRange(0), hidden=True)  # of a listening socket, inherited from `clock dev`
@reload_option
@shared_options
def web(host: str, port: int, fd: int | None, allow_write: bool, **options: Any) -> None:
    """Serve the dashboard of CLOCK_FILE until Ctrl-C. It is read-only without --allow-write.

    With CLOCK_WEB_USER and CLOCK_WEB_PASSWORD, it asks for them (HTTP basic authentication). Without them, it
    listens only on an address of this machine.

    \b
    Example: python -m clock web --allow-write
    """
    if missing := missing_packages():
        raise ConfigurationError(f"the dashboard needs {' and '.join(missing)}: pip install 'clockd[web]'")
    user, password = os.environ.get(USER), os.environ.get(PASSWORD)
    _check(host, user, password)
    config = settings(**options)
    with own_imports():
        import uvicorn

        from clock.web import LOCAL_HOSTS, Dashboard, basic, local, source_of

    source = source_of(config, is_named=options["clock_file"] is not None)
    gc.freeze()  # a collection would scan the events of the timetable: for 0.2 s if there are 10,000
    access = basic(user, password, allow_write) if user and password else local(allow_write)
    dashboard = Dashboard(
        source,
        access=access,
        sign_in='Basic realm="clock", charset="UTF-8"' if user else None,
        hosts=None if user else LOCAL_HOSTS,
    )
    with _listener(host, port, fd) as listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        echo(f"The dashboard is at {address}", "" if allow_write else " (read-only)")
        serving = uvicorn.Config(
            dashboard.asgi, log_level="warning", access_log=False, server_header=False, lifespan="on"
        )
        uvicorn.Server(serving).run(sockets=[listener])


def missing_packages() -> list[str]:
    """The packages that the dashboard needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def _listener(host: str, port: int, fd: int | None) -> socket.socket:
    """A socket that listens on this address, or the inherited socket. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.create_server((host, port), family=family) if fd is None else socket.socket(fileno=fd)
    except OSError as error:
        place = f"{host} port {port}" if fd is None else f"the descriptor {fd}"
        raise ConfigurationError(f"cannot listen on {place}: {error.strerror or error}") from None
    made.set_inheritable(False)
    return made


def _check(host: str, user: str | None, password: str | None) -> None:
    """Refuse an address and access that would admit strangers. Raises ConfigurationError."""
    if bool(user) != bool(password):
        raise ConfigurationError(f"only one of {USER} and {PASSWORD} is set: set both, or neither")
    if not user and not _is_local(host):
        raise ConfigurationError(
            f"--host {host} can be reached from other machines, and everyone there could read the dashboard: "
            f"set {USER} and {PASSWORD}, or listen on 127.0.0.1"
        )


def _is_local(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
