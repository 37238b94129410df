"""Jobs with and without rules."""

from __future__ import annotations

from collections.abc import Iterator

from clock import IterableJob, Job


class AddNumbersJob(Job):
    result_ttl = 60

    def perform(self, number: int) -> int:
        return number + 1


class RebuildOneJob(Job):
    unique = True

    def perform(self, number: int) -> None: ...


class FanOutJob(IterableJob):
    exactly_once = True

    def items(self, number: int, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        yield 1, number

    def each(self, item: int, number: int) -> None:
        AddNumbersJob.perform_async(item)
