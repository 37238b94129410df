import asyncio
import sys
import threading

import pytest

from clock.worker.running import coroutines
from clock.worker.running.coroutines import run_on_loop


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
