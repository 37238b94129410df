import io
import logging
from collections.abc import Iterator

import pytest

from clock.log import log_to


@pytest.fixture
def ours() -> Iterator[logging.Logger]:
    """The package's logger, put back afterwards as it was."""
    logger = logging.getLogger("clock")
    before = logger.handlers[:], logger.propagate
    yield logger
    logger.handlers[:], logger.propagate = before


def test_the_packages_lines_go_to_the_logger_of_the_clock_file_and_nowhere_else(
    ours: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    lines = io.StringIO()
    mine = logging.Logger("mine", level=logging.WARNING)
    mine.addHandler(logging.StreamHandler(lines))

    log_to(mine)
    logging.getLogger("clock.ticker").warning("Threads exhausted")
    logging.getLogger("clock.ticker").info("Triggering")

    assert lines.getvalue() == "Threads exhausted\n"
    assert caplog.messages == []
