"""Check-ins of a clock and a worker, sent by Sentry's SDK to a server."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.patience import eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]
START = """
import os
import sentry_sdk
from clock.contrib.sentry import ClockIntegration
sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], release="1", integrations=[ClockIntegration(crons=True)])
"""


class FakeSentry:
    """Keeps the check-ins that it receives."""

    def __init__(self) -> None:
        self.check_ins: list[dict[str, Any]] = []
        kept = self.check_ins

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lines = gzip.decompress(body).splitlines() if body[:2] == b"\x1f\x8b" else body.splitlines()
                for head, item in zip(lines[1::2], lines[2::2], strict=False):
                    if json.loads(head).get("type") == "check_in":
                        kept.append(json.loads(item))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://key@127.0.0.1:{self.server.server_port}/1"


@pytest.fixture
def sentry() -> Iterator[FakeSentry]:
    found = FakeSentry()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join(30)


def test_a_clock_and_a_worker_check_in_with_the_schedule(app: App, sentry: FakeSentry) -> None:
    app.environ |= {"SENTRY_DSN": sentry.dsn, "SENTRY_SPOTLIGHT": "0"}
    app.write("jobs/__init__.py", START)
    app.write(
        "jobs/bake.py", "from clock import Job\n\n\nclass BakeWithSentryJob(Job):\n    def perform(self): ...\n"
    )
    app.write(
        "lib/clock.py",
        "import jobs\nfrom clock import every\nfrom jobs.bake import BakeWithSentryJob\n"
        "every(2).seconds.named('bread').monitor().do(BakeWithSentryJob)\n",
    )
    worker, clock = app.start("worker"), app.start("lib/clock.py")

    eventually(lambda: len(sentry.check_ins) >= 2, lambda: f"check-ins:\n{clock.output}\n{worker.output}")

    assert (clock.end(), worker.end()) == (0, 0)
    first = sentry.check_ins[0]["check_in_id"]
    run = [one for one in sentry.check_ins if one["check_in_id"] == first]
    assert [one["status"] for one in run] == ["in_progress", "ok"]
    assert {one["monitor_slug"] for one in sentry.check_ins} == {"bread"}
    assert run[0]["monitor_config"]["schedule"] == {"type": "interval", "value": 1, "unit": "minute"}
