"""The embedded Valkey: one for each folder, for as long as anybody uses it, with data that last."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from clock.store.server.embedded.files import files_of
from clock.store.server.embedded.keeper import lives
from tests.patience import eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

FIVE_STARTS_SECONDS = 5.0  # what five starts that fail take at least

USE = (
    "from clock.store.server.connection import connect; r = connect(); "
    "print(r.info('server')['process_id'], flush=True);"
)


@contextmanager
def user(app: App) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that uses the folder's server, and the server's process id."""
    popen = subprocess.Popen(
        [sys.executable, "-c", USE + "input()"],
        cwd=app.folder,
        env=app.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with popen:
        assert popen.stdout is not None
        yield popen, int(popen.stdout.readline())
        popen.kill()


def once(app: App, code: str = "") -> str:
    """What a short-lived user prints."""
    done = app.run("-c", USE + code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def answers(folder: Path) -> bool:
    with Redis(unix_socket_path=str(files_of(folder).socket)) as probe:
        try:
            return bool(probe.ping())
        except RedisError:
            return False


def keeper_of(app: App) -> int:
    """The process id of the folder's keeper: the server's parent."""
    with Redis(unix_socket_path=str(files_of(app.folder).socket)) as redis:
        server = redis.info("server")["process_id"]
    return int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_first_user_starts_it_the_others_join_and_it_stops_with_the_last(app: App) -> None:
    with user(app) as (_, first):
        with user(app) as (_, second):
            assert first == second
        assert answers(app.folder)

    eventually(lambda: not answers(app.folder), "the server to stop")


def test_a_process_that_ends_before_its_server_prints_no_warning(app: App) -> None:
    done = app.run("-W", "error", "-c", USE)

    assert (done.returncode, done.stderr) == (0, "")


def test_it_outlives_the_one_who_started_it_while_another_uses_it(app: App) -> None:
    with user(app) as (starter, server), user(app) as (_, other):
        os.kill(starter.pid, signal.SIGKILL)
        starter.wait()

        assert server == other == int(once(app))


def test_many_who_come_at_once_share_one(app: App) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", USE + "input()"],
            cwd=app.folder,
            env=app.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]

    servers = {popen.stdout.readline() for popen in starts if popen.stdout is not None}
    for popen in starts:
        popen.communicate("\n")

    assert len(servers) == 1


def test_its_data_survive_a_restart(app: App) -> None:
    once(app, "r.set('kept', 'yes')")
    eventually(lambda: not answers(app.folder), "the server to stop")

    assert once(app, "print(r.get('kept'))").endswith("b'yes'")


def test_two_folders_never_share_one(app: App) -> None:
    (app.folder / "one").mkdir()
    (app.folder / "two").mkdir()
    one, two = App(app.folder / "one", app.environ), App(app.folder / "two", app.environ)

    with user(one) as (_, first), user(two) as (_, second):
        assert first != second


def test_what_a_kill_of_server_and_keeper_leaves_is_no_obstacle(app: App) -> None:
    with user(app) as (_, server):
        once(app, "r.set('kept', 'yes')")
        os.kill(keeper_of(app), signal.SIGKILL)
        os.kill(server, signal.SIGKILL)
        eventually(lambda: not answers(app.folder), "the server to be gone")
        assert files_of(app.folder).socket.exists()

        assert once(app, "print(r.get('kept'))").endswith("b'yes'")


def test_a_server_that_its_keeper_has_left_behind_is_replaced(app: App) -> None:
    with user(app) as (_, server):
        once(app, "r.set('kept', 'yes')")
        os.kill(keeper_of(app), signal.SIGKILL)

        successor, kept = once(app, "print(r.get('kept'))").split()

        assert int(successor) != server
        assert kept == "b'yes'"
        assert not lives(server)


def test_a_server_that_dies_is_started_again(app: App) -> None:
    with user(app) as (_, server):
        once(app, "r.set('kept', 'yes')")
        os.kill(server, signal.SIGKILL)

        eventually(lambda: answers(app.folder), "the server to be back")
        assert once(app, "print(r.get('kept'))").endswith("b'yes'")


def test_a_server_that_dies_again_and_again_is_started_again(app: App) -> None:
    with user(app) as (_, server):
        for _ in range(6):
            os.kill(server, signal.SIGKILL)
            server = eventually_another(app, server)


def eventually_another(app: App, before: int) -> int:
    """The process id of the server that runs after `before`."""
    found = before
    with Redis(unix_socket_path=str(files_of(app.folder).socket)) as probe:

        def is_another() -> bool:
            nonlocal found
            with suppress(RedisError):
                found = int(probe.info("server")["process_id"])
            return found != before

        eventually(is_another, "another server")
    return found


def test_a_process_that_uses_it_brings_it_back_though_the_keeper_was_killed_too(app: App) -> None:
    keeps_asking = """
from clock.errors import StoreError
from clock.store.server.connection import connect, translated
import time
r = connect()
print(r.info('server')['process_id'], flush=True)
wait = lambda: r.blpop('nothing')
while True:
    try:
        with translated():
            wait()
    except StoreError as error:
        print(error, flush=True)
    wait = r.ping
    time.sleep(0.1)
"""
    asking = app.start_program(sys.executable, "-c", keeps_asking)
    eventually(lambda: bool(asking.output.strip()), "the server")
    server = int(asking.output.split()[0])
    os.kill(keeper_of(app), signal.SIGKILL)
    os.kill(server, signal.SIGKILL)

    eventually_another(app, server)

    errors = asking.output.splitlines()[1:]
    assert "Connection closed by server" in errors[0]
    assert [error for error in errors if "It is restarted until it runs." not in error] == []


def test_damaged_data_are_told_at_once_with_what_to_do(app: App) -> None:
    once(app, "r.set('kept', 'yes')")
    eventually(lambda: not answers(app.folder), "the server to stop")
    [log] = files_of(app.folder).home.glob("appendonlydir/*.incr.aof")
    log.write_bytes(b"*1\r\nnonsense\r\n" + log.read_bytes())

    done = app.run("-m", "clock", "queue", "list")

    assert done.returncode == 1
    assert done.stderr.startswith(
        f"clock: the embedded Valkey did not start. Its data are damaged: move {app.folder}"
    )
    assert done.stderr.count("\n") == 1


@pytest.fixture
def small_disk(app: App) -> Iterator[App]:
    """The application's folder on a disk of 3 MB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", app.folder],  # noqa: S607  # wherever the system has it
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield app
    app.kill_all()
    subprocess.run(["umount", "-l", app.folder], check=True)  # noqa: S607


def test_after_a_full_disk_it_comes_back_by_itself(small_disk: App) -> None:
    with user(small_disk) as (_, server):
        filler = small_disk.folder / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 1024)
        with Redis(unix_socket_path=str(files_of(small_disk.folder).socket)) as probe, suppress(RedisError):
            probe.set("big", "x" * 100_000)  # it ends where it cannot write
        eventually(lambda: not lives(server), "the end of the server")
        time.sleep(FIVE_STARTS_SECONDS)

        filler.unlink()

        assert eventually_another(small_disk, server) != server


def test_a_folder_whose_path_is_too_long_for_a_socket_works_too(app: App) -> None:
    folder = app.folder / ("long" * 30)
    folder.mkdir()
    deep = App(folder, app.environ)

    with user(deep):
        assert not files_of(folder).socket.is_relative_to(folder)
        assert answers(folder)


def test_only_the_user_may_connect(app: App) -> None:
    with user(app):
        assert files_of(app.folder).home.stat().st_mode & 0o077 == 0
        assert files_of(app.folder).socket.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_told_in_one_line(app: App) -> None:
    (app.folder / ".clock").write_text("a file where the folder should be")
    (app.folder / "jobs").mkdir()

    refused = app.clock("worker")

    assert refused.returncode == 1
    assert "the embedded Valkey cannot be used" in refused.stderr
    assert "set REDIS_URL" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
