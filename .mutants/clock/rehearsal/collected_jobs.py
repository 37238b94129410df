"""The jobs of one class that `fake()` has collected, as a list that follows pushes and runs."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from typing import overload

from clock.job.payload import Payload


class CollectedJobs(MutableSequence[Payload]):
    """The value of `SomeJob.jobs`: a live view, as Sidekiq's. Changing it changes what `drain()` will run."""

    def __init__(self, payloads: list[Payload], wire_name: str) -> None:
        self._payloads = payloads  # of all classes, in the order of their pushes
        self._wire_name = wire_name

    def __len__(self) -> int:
        return len(self._places())

    @overload
    def __getitem__(self, index: int) -> Payload: ...

    @overload
    def __getitem__(self, index: slice) -> list[Payload]: ...

    def __getitem__(self, index: int | slice) -> Payload | list[Payload]:
        return self._copy()[index]

    def __setitem__(self, index: int | slice, value: Payload | Iterable[Payload]) -> None:
        raise TypeError("jobs are added by pushing them; use del, remove(), pop() or clear() to take some out")

    def __delitem__(self, index: int | slice) -> None:
        places = self._places()[index]
        for place in sorted([places] if isinstance(places, int) else places, reverse=True):
            del self._payloads[place]

    def insert(self, index: int, value: Payload) -> None:
        """Not supported: a job is added by pushing it. Raises TypeError."""
        raise TypeError("jobs are added by pushing them: SomeJob.perform_async(...)")

    def __eq__(self, other: object) -> bool:
        return self._copy() == (other._copy() if isinstance(other, CollectedJobs) else other)

    __hash__ = None  # type: ignore[assignment]  # it changes, as a list does

    def __repr__(self) -> str:
        return repr(self._copy())

    def _copy(self) -> list[Payload]:
        return [payload for payload in self._payloads if payload["class"] == self._wire_name]

    def _places(self) -> list[int]:
        return [place for place, payload in enumerate(self._payloads) if payload["class"] == self._wire_name]
