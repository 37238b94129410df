import os
import signal
import threading

from clock.shutdown import handling


def test_a_signal_is_a_call_on_another_thread_and_its_old_handler_returns() -> None:
    called = threading.Event()
    threads: list[threading.Thread] = []
    before = signal.getsignal(signal.SIGHUP)

    def call() -> None:
        threads.append(threading.current_thread())
        called.set()

    with handling({signal.SIGHUP: call}):
        os.kill(os.getpid(), signal.SIGHUP)
        assert called.wait(30)

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
            assert called.wait(30)
    finally:
        signal.signal(signal.SIGHUP, before)
