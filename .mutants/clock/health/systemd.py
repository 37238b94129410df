"""Messages to systemd from a service of `Type=notify`: ready, state, signs of life for its watchdog, stopping.

systemd sets NOTIFY_SOCKET and, with `WatchdogSec=`, WATCHDOG_USEC (sd_notify(3), sd_watchdog_enabled(3)).
A process that is not alive sends no sign of life, so systemd kills and restarts it. A process that only waits for
Redis sends them: a restart would not help.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, MutableMapping

from clock.clocks import Clock
from clock.health.probes import Vitals

STATUS_SECONDS = 10.0  # between two messages if systemd has no watchdog
SIGNS_PER_LIMIT = 3  # signs of life within the watchdog's limit: two may be late
LONGEST_STATUS = 300  # characters, which `systemctl status` shows on one line

logger = logging.getLogger("clock.health")


class Notifier:
    """Sends messages to the socket `address` of systemd; `limit_seconds` is the watchdog's, None without one.

    `judge` returns the problems of the process. `stop` may be called twice, and before `start`.
    """

    def __init__(
        self, address: str, judge: Callable[[], Vitals], *, clock: Clock, limit_seconds: float | None = None
    ) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: an abstract socket
        self._judge = judge
        self._clock = clock
        self._seconds = limit_seconds / SIGNS_PER_LIMIT if limit_seconds else STATUS_SECONDS
        self._has_watchdog = limit_seconds is not None
        self._is_heard = True  # for the thread that sends
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="systemd", daemon=True)

    def start(self) -> None:
        """Report that the process has started, and its state from now on."""
        self._send("READY=1")
        self._thread.start()

    def stop(self) -> None:
        """Report that the process stops."""
        if not self._stopped.is_set() and self._thread.is_alive():
            self._stopped.set()
            self._thread.join()
            self._send("STOPPING=1")

    def notify(self) -> None:
        """Send the state and, if the process is alive, a sign of life."""
        vitals = self._judge()
        problems = "; ".join(vitals.not_live or vitals.not_ready) or "ready"
        state = f"STATUS={' '.join(problems.split())[:LONGEST_STATUS]}"
        is_alive = self._has_watchdog and not vitals.not_live
        self._send(f"{state}\nWATCHDOG=1" if is_alive else state)

    def _run(self) -> None:
        self.notify()
        while not self._clock.wait(self._stopped, self._seconds):
            self.notify()

    def _send(self, message: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)  # a full socket must not stop the process
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            if self._is_heard:
                logger.warning("systemd does not receive the state of this process: %s: %s", self._address, error)
            self._is_heard = False
        else:
            self._is_heard = True


def notifier(
    judge: Callable[[], Vitals], *, clock: Clock, environ: MutableMapping[str, str] = os.environ
) -> Notifier | None:
    """Return the notifier that systemd asks for in `environ`; None if it asks for none.

    The variables are removed: a process that a job starts must not send messages for this one.
    """
    address = environ.pop("NOTIFY_SOCKET", "")
    limit, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(os.getpid()))
    if not address.startswith(("/", "@")):
        return None
    is_ours = limit.isdecimal() and int(limit) > 0 and pid == str(os.getpid())
    return Notifier(address, judge, clock=clock, limit_seconds=int(limit) / 1e6 if is_ours else None)
