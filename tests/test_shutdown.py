import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from clock.shutdown import handling
from tests.examples import examples
from tests.patience import PATIENCE_SECONDS


def sleep_in_child() -> None:
    try:
        time.sleep(600)
        os._exit(0)
    except KeyboardInterrupt:
        os._exit(1)


def test_a_signal_is_a_call_on_another_thread_and_its_old_handler_returns() -> None:
    called = threading.Event()
    threads: list[threading.Thread] = []
    before = signal.getsignal(signal.SIGHUP)

    def call() -> None:
        threads.append(threading.current_thread())
        called.set()

    with handling({signal.SIGHUP: call}):
        os.kill(os.getpid(), signal.SIGHUP)
        assert called.wait(PATIENCE_SECONDS)

    assert threads != [threading.main_thread()]
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_hangup_that_nohup_has_had_ignored_stays_ignored() -> None:
    called = threading.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handling({signal.SIGHUP: called.set, signal.SIGUSR2: called.set}):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert not called.is_set()
            os.kill(os.getpid(), signal.SIGUSR2)
            assert called.wait(PATIENCE_SECONDS)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 1)])
def test_a_signal_to_a_forked_child_reaches_only_the_child_however_soon_it_comes(
    number: signal.Signals, code: int
) -> None:
    called: list[str] = []
    last = threading.Event()

    with handling({number: lambda: called.append(number.name), signal.SIGUSR1: last.set}):
        for _ in range(examples(50)):
            child = os.fork()
            if child == 0:
                sleep_in_child()
            os.kill(child, number)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
        os.kill(os.getpid(), signal.SIGUSR1)
        assert last.wait(PATIENCE_SECONDS)

    assert called == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_begins_with_the_handlers_that_were_there_before() -> None:
    with handling({signal.SIGTERM: lambda: None, signal.SIGINT: lambda: None}):
        child = os.fork()
        if child == 0:
            begun = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), signal.set_wakeup_fd(-1)
            os._exit(begun == (signal.SIG_DFL, signal.default_int_handler, -1))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_a_signal_that_only_the_application_handles_does_not_end_the_handling() -> None:
    called = threading.Event()
    before = signal.signal(signal.SIGRTMIN, lambda *_: None)
    try:
        with handling({signal.SIGUSR1: called.set}):
            os.kill(os.getpid(), signal.SIGRTMIN)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert called.wait(PATIENCE_SECONDS)
    finally:
        signal.signal(signal.SIGRTMIN, before)


INTERRUPTED = """
import os, signal, time
from clock.shutdown import handling

reader, writer = os.pipe()


def begin_child():
    os.write(writer, b"!")
    while signal.SIGINT not in signal.sigpending():
        time.sleep(0.001)


os.register_at_fork(after_in_child=begin_child)
with handling({signal.SIGINT: lambda: None}):
    child = os.fork()
    if child == 0:
        time.sleep(5)
        os._exit(0)
    os.read(reader, 1)
    os.kill(child, signal.SIGINT)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.process
def test_sigint_ends_a_child_that_still_runs_the_fork_hooks_of_other_modules() -> None:
    words = [sys.executable, "-W", "ignore", "-c", INTERRUPTED]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)

    assert done.stdout == "1\n"
