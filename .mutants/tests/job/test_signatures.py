"""What a type checker knows of a push: mypy is run over examples. docs/decisions/signatures.md promises it."""

import re
from pathlib import Path

import pytest
from mypy import api

EXAMPLES = """
from datetime import datetime, timedelta
from typing import Any, assert_type

from clock import Job


class SendJob(Job):
    def perform(self, user_id: int, kind: str = "weekly", *flags: bool) -> int:
        return user_id


class SendLaterJob(Job):
    async def perform(self, user_id: int) -> str:
        return str(user_id)


class OldSendJob(SendJob):
    pass


class StrictJob(Job):
    def perform(self, user_id: int, /) -> None: ...


class Base(Job):
    def retry_in(self, count: int, error: BaseException) -> int | str | None:
        return "kill" if isinstance(error, PermissionError) else count

    def retries_exhausted(self, payload: dict[str, Any], error: BaseException) -> None:
        self.logger.info("given up: %s", payload["jid"])


def right(job: type[Job]) -> None:
    assert_type(SendJob.perform_async(1, "daily", True, False), str)
    assert_type(OldSendJob.perform_in(timedelta(minutes=5), 1), str)
    assert_type(SendJob.perform_at(datetime.now(), 1, "daily"), str)
    assert_type(SendJob.set(queue="low", wait=5).perform_async(1), str)
    assert_type(SendJob.perform_bulk([[1], [2, "daily"]]), list[str])
    assert_type(SendJob.perform_inline(1), int)
    assert_type(SendLaterJob.perform_inline(1), str)
    Base.perform_async("anything", 1)
    job.set(queue="low").perform_async("anything", 1)
    job.perform_in(5, "anything")


async def right_too() -> None:
    assert_type(await SendJob.aperform_async(1), str)
    assert_type(await SendJob.set(retry=3).aperform_in(5, 1), str)
    assert_type(await SendLaterJob.aperform_inline(1), str)


SendJob.perform_async()  # WRONG: Missing positional argument "user_id"
SendJob.perform_async("1")  # WRONG: has incompatible type "str"; expected "int"
SendJob.perform_async(1, 2)  # WRONG: has incompatible type "int"; expected "str"
SendJob.perform_async(1, kin="daily")  # WRONG: Unexpected keyword argument "kin"
SendLaterJob.perform_async(1, 2)  # WRONG: Too many arguments
OldSendJob.perform_async("1")  # WRONG: has incompatible type "str"; expected "int"
SendJob.perform_in("soon", 1)  # WRONG: has incompatible type "str"; expected "float | timedelta"
SendJob.perform_in(5, "1")  # WRONG: has incompatible type "str"; expected "int"
SendJob.perform_at(timedelta(1), 1)  # WRONG: has incompatible type "timedelta"; expected "float | datetime"
SendJob.set(que="low")  # WRONG: Unexpected keyword argument "que"
SendJob.set(retry="often")  # WRONG: has incompatible type "str"; expected "bool | int"
SendJob.set(queue="low").perform_async("1")  # WRONG: has incompatible type "str"; expected "int"
SendJob.set(queue="low").perform_inline("1")  # WRONG: has incompatible type "str"; expected "int"
SendJob.set(queue="low").perform_in(5)  # WRONG: Missing positional argument "user_id"
StrictJob.perform_async(user_id=1)  # WRONG: Unexpected keyword argument "user_id"
"""


@pytest.mark.slow
def test_a_type_checker_finds_wrong_arguments_of_a_push_and_lets_right_ones_pass(tmp_path: Path) -> None:
    (tmp_path / "examples.py").write_text(EXAMPLES)

    out, _, _ = api.run(
        ["--strict", "--no-error-summary", "--cache-dir", str(tmp_path), str(tmp_path / "examples.py")]
    )

    found = {int(line): text for line, text in re.findall(r"examples\.py:(\d+): error: (.*)", out)}
    wanted = {
        number: line.partition("# WRONG: ")[2]
        for number, line in enumerate(EXAMPLES.splitlines(), 1)
        if "# WRONG: " in line
    }
    assert found.keys() == wanted.keys(), out
    assert [number for number in wanted if wanted[number] not in found[number]] == [], out
