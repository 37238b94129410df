"""`clock web`: whom it serves, and what it refuses."""

import gc
import os
import signal
import socket
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from click.testing import Result

from clock.cli.commands.monitoring import web
from clock.cli.commands.monitoring.web import PASSWORD, USER
from clock.errors import ConfigurationError
from tests.patience import PATIENCE_SECONDS

Clock = Callable[..., Result]


@pytest.fixture(autouse=True)
def _application(application: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(
        "from clock import every\nevery().day.do(print).named('nightly')\n"
    )
    for name in (USER, PASSWORD):
        monkeypatch.delenv(name, raising=False)
    yield
    gc.unfreeze()  # the command freezes what its process has loaded


def statuses(clock: Clock, monkeypatch: pytest.MonkeyPatch, *words: str, login: str = "") -> tuple[list[int], str]:
    """Serve the dashboard until its overview was asked for without and with a login; the statuses, the output."""
    opened, ports, found = SimpleQueue[int](), list[int](), list[int]()
    listener_of = web._listener

    def noted(host: str, port: int, fd: int | None) -> socket.socket:
        listener = listener_of(host, port, fd)
        opened.put(listener.getsockname()[1])
        return listener

    monkeypatch.setattr(web, "_listener", noted)

    def status(headers: dict[str, str]) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{ports[0]}/", headers=headers)  # of this test
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def visit() -> None:
        try:
            ports.append(opened.get(timeout=PATIENCE_SECONDS))
            found.extend(map(status, ({}, {"Authorization": f"Basic {b64encode(login.encode()).decode()}"})))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    visitor.start()
    shown = clock("web", *words)
    visitor.join()
    return found, shown.output.replace(str(ports[0]), "PORT")


def test_the_dashboard_is_served_to_this_machine_until_ctrl_c(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, output = statuses(clock, monkeypatch, "--port", "0")

    assert found == [200, 200]
    assert output.startswith("The dashboard is at http://127.0.0.1:PORT (read-only)\n")
    assert "Traceback" not in output


def test_with_a_user_the_dashboard_asks_for_the_password(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER, "ana")
    monkeypatch.setenv(PASSWORD, "apple")

    words = ("--port", "0", "--host", "0.0.0.0", "--allow-write")  # noqa: S104  # with a login
    found, output = statuses(clock, monkeypatch, *words, login="ana:apple")

    assert found == [401, 200]
    assert output.startswith("The dashboard is at http://0.0.0.0:PORT\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "::"])  # noqa: S104  # it is refused
def test_an_address_that_strangers_reach_is_refused_without_a_password(clock: Clock, host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--host {host} can be reached from other machines"):
        clock("web", "--host", host)


def test_a_missing_clock_file_is_reported_if_it_was_named(clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match=r"no clock file lib/clok\.py"):
        clock("web", "lib/clok.py", "-p", "0")


@pytest.mark.parametrize("name", [USER, PASSWORD])
def test_half_a_login_is_refused(clock: Clock, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "ana")

    with pytest.raises(ConfigurationError, match=f"only one of {USER} and {PASSWORD} is set"):
        clock("web")


def test_the_dashboard_is_served_on_a_socket_that_its_process_has_inherited(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    found, output = statuses(clock, monkeypatch, "--fd", str(listener.detach()))

    assert found == [200, 200]
    assert output.startswith("The dashboard is at http://127.0.0.1:PORT (read-only)\n")


def test_a_descriptor_that_is_not_a_socket_is_refused(clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on the descriptor 9999: Bad file descriptor"):
        clock("web", "--fd", "9999")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_that_is_taken_is_reported_with_its_address(clock: Clock, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        with pytest.raises(
            ConfigurationError, match=f"cannot listen on {host} port {port}: Address already in use"
        ):
            clock("web", "--host", host, "--port", port)


def test_missing_packages_are_named_with_the_extra_that_installs_them(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.cli.commands.monitoring.web.NEEDED", ("jinja2", "not_installed", "neither"))

    with pytest.raises(ConfigurationError, match=r"needs not_installed and neither: pip install 'clockd\[web\]'"):
        clock("web")
