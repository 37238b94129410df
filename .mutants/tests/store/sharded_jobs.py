"""Jobs with and without rules."""

from __future__ import annotations

from collections.abc import Iterator

from clock import IterableJob, Job, Limit, Rate


class AddNumbersJob(Job):
    result_ttl = 60

    def perform(self, number: int) -> int:
        return number + 1


class RebuildOneJob(Job):
    unique = True

    def perform(self, number: int) -> None: ...


class CallPartnerJob(Job):
    limits = Limit("partner", 2)

    def perform(self, number: int) -> None: ...


class SendBulkMailJob(Job):
    rates = Rate("mail", 10, per=1.0)

    def perform(self, number: int) -> None: ...


class FanOutSumsJob(IterableJob):
    exactly_once = True

    def items(self, number: int, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        yield 1, number

    def each(self, item: int, number: int) -> None:
        AddNumbersJob.perform_async(item)
