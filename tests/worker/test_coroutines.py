import asyncio
import sys
import threading

import pytest

from clock.worker.running import coroutines
from clock.worker.running.coroutines import cancel_all, run_on_loop
from tests.patience import PATIENCE_SECONDS


async def the_loop(found: list[asyncio.AbstractEventLoop]) -> None:
    found.append(asyncio.get_running_loop())


def test_all_coroutine_jobs_share_one_loop() -> None:
    found: list[asyncio.AbstractEventLoop] = []

    run_on_loop(the_loop(found))
    run_on_loop(the_loop(found))

    assert found[0] is found[1]


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_what_a_coroutine_raises_reaches_its_thread_and_the_loop_lives_on(kind: type[BaseException]) -> None:
    async def fail() -> None:
        raise kind("boom")

    with pytest.raises(kind):
        run_on_loop(fail())
    run_on_loop(the_loop([]))


def test_a_task_of_a_job_that_exits_does_not_end_the_loop() -> None:
    async def leave() -> None:
        sys.exit(3)

    async def fail() -> None:
        await asyncio.create_task(leave())

    with pytest.raises(SystemExit):
        run_on_loop(fail())
    run_on_loop(the_loop([]))


def test_a_loop_whose_thread_does_not_start_is_made_again_for_the_next_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(coroutines, "_loop", None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            run_on_loop(the_loop([]))

    run_on_loop(the_loop([]))


@pytest.mark.parametrize("is_patient", [True, False])
def test_at_the_end_a_task_that_a_job_has_left_is_cancelled_and_its_finally_has_some_time(
    is_patient: bool,
) -> None:
    left, ended = list[asyncio.Task[None]](), threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            await asyncio.sleep(0.01 if is_patient else PATIENCE_SECONDS)
            ended.set()

    async def leave() -> None:
        left.append(asyncio.create_task(work()))
        await asyncio.sleep(0)

    run_on_loop(leave())

    cancel_all(PATIENCE_SECONDS if is_patient else 0.01)

    assert ended.is_set() is is_patient
    cancel_all(PATIENCE_SECONDS)  # the `finally` is cancelled as well


def test_an_end_without_coroutine_jobs_has_nothing_to_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    run_on_loop(the_loop([]))
    cancel_all(PATIENCE_SECONDS)

    monkeypatch.setattr(coroutines, "_loop", None)
    cancel_all(PATIENCE_SECONDS)
    assert list(coroutines.stacks()) == []
