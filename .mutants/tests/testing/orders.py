"""A service of orders by HTTP, for jobs that call one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Orders(BaseHTTPRequestHandler):
    """A service of orders: POST puts one in by its key, DELETE takes it out or answers 404."""

    known: set[str] = {"7"}  # noqa: RUF012  # of the one server that is up

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.known.add(self.path)
        self._answer(201)

    def do_GET(self) -> None:
        self._answer(200 if self.path in self.known else 404)

    def do_DELETE(self) -> None:
        is_known = self.path in self.known
        self.known.discard(self.path)
        self._answer(204 if is_known else 404)

    def log_message(self, *args: object) -> None:
        """Nothing is said."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving_orders() -> Iterator[str]:
    """Serve orders on a port of its own; yields the URL."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()
