"""The HTTP port of a clock or a worker: `/live`, `/ready`, `/clock` and `/metrics`.

It answers on threads of its own, so that it can say that the process is stuck.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from clock.errors import ConfigurationError
from clock.health.probes import Vitals

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CLIENT_SECONDS = 10.0  # a client that is silent for so long is left: each one holds a thread
NO_METRICS = "Metrics are told by prometheus-client: pip install 'clockd[metrics]'"

logger = logging.getLogger(__name__)


class HealthServer:
    """Answers on `port` of all addresses, or on a free one where it is 0; `stop` ends it.

    `vitals` judges this process, `clock` the application's clock, wherever it runs: what is wrong with it.
    `metrics` is what answers `/metrics`; None: prometheus-client is not installed, and the answer says so.
    Raises ConfigurationError where the port is taken.
    """

    def __init__(
        self,
        port: int,
        vitals: Callable[[], Vitals],
        clock: Callable[[], Sequence[str]],
        metrics: WSGIApplication | None,
    ) -> None:
        self._pages: dict[object, Callable[[], Sequence[str]]] = {
            "/live": lambda: vitals().not_live,
            "/ready": lambda: vitals().not_ready,
            "/clock": clock,
        }
        self._metrics = metrics
        try:
            self._server = make_server("", port, self._answer, _ThreadingServer, _QuietHandler)
        except OSError as error:
            raise ConfigurationError(
                f"--health-port {port} cannot be used: {error.strerror}; name another one"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that it answers on."""
        return int(self._server.server_port)

    def start(self) -> None:
        """Answer from now on."""
        logger.info("Health on port %d: /live, /ready, /clock, /metrics", self.port)
        if self._metrics is None:
            logger.warning(NO_METRICS)
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics" and self._metrics is not None:
            return self._metrics(environ, start_response)
        status, lines = self._page(path)
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return ["".join(f"{line}\n" for line in lines).encode()]

    def _page(self, path: object) -> tuple[str, Iterable[str]]:
        if path == "/metrics":
            return "501 Not Implemented", [NO_METRICS]
        if path not in self._pages:
            return "404 Not Found", ["There are /live, /ready, /clock and /metrics."]
        complaints = self._pages[path]()
        return ("503 Service Unavailable", complaints) if complaints else ("200 OK", ["ok"])


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that left, or was silent for too long: scanners do so."""
        logger.debug("Health: %s was not answered", client_address, exc_info=True)


class _QuietHandler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library names it
        logger.debug(format, *args)
