"""The package's log records pass through structlog unchanged. The configuration is that of the guide."""

import io
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

from clock import Job
from tests.worker.conftest import Bench

GUIDE = Path(__file__).parents[2] / "docs" / "monitoring.md"


class SortShelfJob(Job):
    def perform(self) -> None:
        self.logger.warning("%d books", 3, extra={"shelf": "a"})


def test_our_records_pass_through_structlog_with_their_fields(bench: Callable[..., Bench]) -> None:
    [code] = re.findall(
        r"^```python\n(import logging\n\nimport structlog.*?)^```$", GUIDE.read_text(), re.M | re.S
    )
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102  # the guide's own example
    handler, stream = names["handler"], io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    try:
        SortShelfJob.set(jid="j1").perform_async()
        bench().run_all()
    finally:
        logging.getLogger("clock").removeHandler(handler)

    own, *_ = map(json.loads, stream.getvalue().splitlines())
    assert (own["event"], own["level"], own["shelf"]) == ("3 books", "warning", "a")
    assert (own["jid"], own["class"]) == ("j1", "SortShelfJob")
