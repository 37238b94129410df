"""What a type checker sees of a clock file. `mypy` checks these lines, too; each ignore must be needed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import assert_type

import pytest

from clock import Job, cron, error_handler, every, handler, on, repeat
from clock.timetable import load
from clock.timetable.clock_file.fluent import FluentJob
from clock.timetable.clock_file.written_forms import WrittenJob


class MailLetterJob(Job):
    def perform(self, address: str) -> None: ...


def declare() -> None:
    def act(word: str = "") -> int:
        return len(word)

    assert_type(every(10).minutes, FluentJob).do(act)
    assert_type(every().day.at("06:00"), FluentJob).do(act)
    assert_type(every().monday.at(["06:00", "18:00"], "Europe/Berlin").do(MailLetterJob, "me"), FluentJob)
    assert_type(every(5).to(10).minutes.named("x").do(act, "word"), FluentJob)
    assert_type(every().day.until(timedelta(days=1)).tag("a").do(MailLetterJob.set(queue="low"), "me"), FluentJob)
    assert_type(cron("@daily").catch_up("all", within=timedelta(hours=2)).do(act), WrittenJob)

    @every(timedelta(hours=1), "hourly.job", at="**:30", thread=True, overlap="skip")
    def hourly(name: str, due: datetime) -> int:
        return due.hour

    @repeat(every().day.at("06:00"), "word")
    def repeated(word: str) -> int:
        return len(word)

    @handler
    def general(name: str, due: datetime) -> None: ...

    @on("before_tick")
    def tick() -> bool:
        return True

    @error_handler
    def report(error: BaseException) -> None: ...

    assert_type(hourly("x", datetime.min), int)
    assert_type(repeated("x"), int)
    callback: Callable[[], bool] = tick
    assert callback()


def declare_badly() -> None:
    every(timedelta(hours=1), "x", att="10:00")  # type: ignore[call-overload]  # an option that there is not
    every(timedelta(hours=1), "x", overlap="wait")  # type: ignore[call-overload]  # a word that there is not
    every().day.at(6).do(print)  # type: ignore[arg-type]  # a time is text
    every().fortnight.do(print)  # type: ignore[attr-defined]  # a unit that there is not
    every().day.catch_up("none").do(print)  # type: ignore[arg-type]  # a word that there is not
    every().day.do("act")  # type: ignore[call-overload]  # no function


def test_what_is_typed_runs(tmp_path: Path) -> None:
    path = tmp_path / "clock.py"
    path.write_text("from tests.timetable.test_public_types import declare\ndeclare()\n")

    assert len(load(path, root=Path(__file__).parent.parent.parent).events) == 8


@pytest.mark.parametrize("number", range(6))
def test_what_is_refused_by_types_is_refused_at_load(tmp_path: Path, number: int) -> None:
    lines = Path(__file__).read_text().split("def declare_badly")[1].splitlines()[1:7]
    path = tmp_path / "clock.py"
    path.write_text(f"from clock import *\nfrom datetime import timedelta\n{lines[number].strip()}\n")

    with pytest.raises(Exception, match=r"clock\.py:3: "):
        load(path)
