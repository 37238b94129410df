import os
import signal
import sys

import pytest

from clock.worker.launcher import start
from tests.patience import PATIENCE_SECONDS

#: A process that handles signals only when it has been told to go on.
SLOW_TO_START = """
import signal, sys, threading
from clock.shutdown import handling
sys.stdin.readline()
called = threading.Event()
with handling({signal.Signals(int(sys.argv[1])): called.set}):
    sys.exit(0 if called.wait(60) else 1)
"""


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN])
def test_a_child_that_is_signalled_before_it_handles_signals_does_so_later(
    number: signal.Signals,
) -> None:
    reader, writer = os.pipe()
    stdin = os.dup(0)
    os.dup2(reader, 0)
    try:
        child = start([sys.executable, "-c", SLOW_TO_START, str(int(number))], {}, now=0.0, first=True)
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)
        os.close(reader)

    child.process.send_signal(number)
    os.write(writer, b"go on\n")

    try:
        assert child.process.wait(PATIENCE_SECONDS) == 0
    finally:
        os.close(writer)
        child.process.kill()
        child.process.wait()
        child.read_report()
