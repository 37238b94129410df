"""The HTTP port of a clock or a worker: `/live`, `/ready`, `/clock` and `/metrics`.

It answers on its own threads, so it can report that the process is stuck. `/clock` and `/metrics` ask Redis,
which may take long: they run on further threads, at most `ASKING` at once, and delay no probe.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clock.errors import ConfigurationError, described
from clock.forking import close_in_child
from clock.health.probe_http import Answer, Request, serve
from clock.health.probes import Vitals

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

ASKING = 2  # threads that may ask Redis at once
NO_METRICS = "Metrics need prometheus-client: pip install 'clockd[metrics]'"
_OK, _UNAVAILABLE = "200 OK", "503 Service Unavailable"

logger = logging.getLogger("clock.health")


class HealthServer:
    """Answers on `port` of the address `host`, or on a free port if it is 0; `stop` ends it.

    `vitals` returns the problems of this process, `clock` the problems of the application's clock, in any process.
    `metrics` answers `/metrics`; None: prometheus-client is not installed, and the answer reports that. Raises
    ConfigurationError if the port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        host: str,
        port: int,
        vitals: Callable[[], Vitals],
        clock: Callable[[], Sequence[str]],
        metrics: WSGIApplication | None,
    ) -> None:
        self._vitals = vitals
        self._clock = clock
        self._metrics = metrics
        self._listener = _listener(host, port)
        self.port = int(self._listener.getsockname()[1])
        self._host = host
        self._asking = asyncio.Semaphore(ASKING)
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        logger.info("Health on port %d of %s: /live, /ready, /clock, /metrics", self.port, self._host)
        if self._metrics is None:
            logger.warning(NO_METRICS)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serve(self._listener, self._answer, self._end))

    async def _answer(self, request: Request) -> Answer:
        match request.path:
            case "/live":
                return _judgement(self._vitals().not_live)
            case "/ready":
                return _judgement(self._vitals().not_ready)
            case "/clock":
                return await self._on_a_thread(lambda: _judgement(self._clock()))
            case "/metrics":
                return await self._on_a_thread(lambda: _measured(self._metrics, request))
            case _:
                return _text("404 Not Found", ["Available: /live, /ready, /clock and /metrics."])

    async def _on_a_thread(self, page: Callable[[], Answer]) -> Answer:
        """The result of `page`. Its thread is a daemon: a page that waits for Redis does not hold up an exit."""
        await self._asking.acquire()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def resolve(answer: Answer) -> None:
            self._asking.release()
            if not future.done():  # the client may have left
                future.set_result(answer)

        def run() -> None:
            answer = _answer_of(page)
            with suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(resolve, answer)

        threading.Thread(target=run, name="health-page", daemon=True).start()
        return await future


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server((str(address[0]), port), family=family, backlog=64, dualstack_ipv6=both)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise ConfigurationError(
            f"--health-port {port} cannot be used on {host}: {reason}; use another port or --health-host"
        ) from error
    close_in_child(listener)  # or else a process that a job has left would keep the port from the next worker
    return listener


def _judgement(complaints: Sequence[str]) -> Answer:
    return _text(_UNAVAILABLE, complaints) if complaints else _text(_OK, ["ok"])


def _text(status: str, lines: Sequence[str]) -> Answer:
    return Answer(status, "".join(f"{line}\n" for line in lines).encode())


def _measured(metrics: WSGIApplication | None, request: Request) -> Answer:
    """The answer of prometheus-client, which speaks WSGI."""
    if metrics is None:
        return _text("501 Not Implemented", [NO_METRICS])
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
    }
    for name in ("accept", "accept-encoding"):
        if name in request.headers:
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = request.headers[name]
    begun: list[Any] = []
    body = b"".join(metrics(environ, lambda *words: begun.extend(words)))  # type: ignore[arg-type]  # no `write`
    status, headers, *_ = begun
    return Answer(status, body, tuple(headers))


def _answer_of(page: Callable[[], Answer]) -> Answer:
    try:
        return page()
    except Exception as error:  # a page that fails must be answered, and end nothing
        logger.exception("Health: a page failed")
        return _text("500 Internal Server Error", [described(error)])
