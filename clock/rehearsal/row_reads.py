"""The rows of a rehearsal's databases: read as often as in production, and applied if they have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

from clock.timetable import SyncedEvents, Timetable


class RowReads:
    """The sources of a timetable. The sources of `timetable` return the rows that were read here."""

    def __init__(self, timetable: Timetable) -> None:
        self._sources = [_Source(synced.load) for synced in timetable.synced]
        pairs = list(zip(timetable.synced, self._sources, strict=True))
        self._every = [synced.every for synced in timetable.synced]
        synced: Sequence[SyncedEvents] = [replace(synced, load=source.load) for synced, source in pairs]
        self.timetable = replace(timetable, synced=synced)

    def instants(self, begin: datetime, stop: datetime) -> Iterator[tuple[datetime, list[_Source]]]:
        """When sources are read after `begin` and before `stop`, and which ones."""
        asked = [begin + every for every in self._every]
        while asked and (at := min(asked)) < stop:
            yield at, [source for source, due in zip(self._sources, asked, strict=True) if due == at]
            asked = [due + every if due == at else due for due, every in zip(asked, self._every, strict=True)]


class _Source:
    def __init__(self, load: Callable[[], Iterable[object]]) -> None:
        self._load = load
        self._rows: list[Any] | None = None  # of the last read; None: not read yet
        self._error: BaseException | None = None  # of the last read
        self._known: object = None  # the rows of the last read as data; None: they cannot be compared

    def load(self) -> list[object]:
        """The rows of the last read. Raises the error of the source."""
        if self._rows is None:
            self.read()
        if self._error is not None:
            raise self._error
        return self._rows or []

    def read(self) -> bool:
        """Read the source. Returns whether its rows may have changed."""
        before, self._known, self._error = self._known, None, None
        try:
            self._rows = list(self._load())
        except BaseException as error:  # noqa: BLE001  # the user's code: the ticker reports it
            self._rows, self._error = [], error
            return True
        self._known = _as_data(self._rows)
        return before is None or before != self._known


def _as_data(rows: Sequence[Any]) -> object:
    """A copy of the rows, to compare; None if they are not mappings, or cannot be copied."""
    try:
        return [deepcopy(dict(row)) for row in rows] if all(isinstance(row, Mapping) for row in rows) else None
    except Exception:  # noqa: BLE001  # a row's own methods
        return None
