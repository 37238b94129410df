"""Sources of items for `IterableJob.items`: each yields (cursor, item), and continues after a cursor."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

BATCH = 1_000  # rows of one query
T = TypeVar("T")


def sequence(items: Sequence[T], after: int | None) -> Iterator[tuple[int, T]]:
    """The items of a list, a tuple or a range. The cursor is the index, so the sequence must not change."""
    for index in range(0 if after is None else after + 1, len(items)):
        yield index, items[index]


def lines(path: str | Path, after: int | None, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines of a file, without their line breaks. The cursor is the offset in bytes at which the line ends."""
    with Path(path).open("rb") as file:
        file.seek(after or 0)
        while line := file.readline():
            yield file.tell(), line.decode(encoding).rstrip("\r\n")


def queryset(rows: Any, after: Any, *, batch: int = BATCH) -> Rows:
    """The rows of a Django queryset in the order of their primary keys, which are the cursors.

    Each batch is one query. Primary keys that JSON does not support, such as UUIDs, become texts. In an event
    loop, use `async for`.
    """
    ordered = rows.order_by("pk")

    def query(after: Any) -> Any:
        return (ordered if after is None else ordered.filter(pk__gt=after))[:batch]

    return Rows(query, "pk", after, batch)


def select(session: Any, query: Any, column: Any, after: Any, *, batch: int = BATCH) -> Rows:
    """The rows of a SQLAlchemy `select` in the order of `column`. Its values must be unique: they are the cursors.

    `column` is an attribute of the first entity of the query, such as `User.id`. Each batch is one query. With an
    `AsyncSession`, use `async for`.
    """
    ordered = query.order_by(column).limit(batch)

    def scalars(after: Any) -> Any:
        return session.scalars(ordered if after is None else ordered.where(column > after))

    return Rows(scalars, column.key, after, batch)


class Rows(Iterator[tuple[Any, Any]], AsyncIterator[tuple[Any, Any]]):
    """Pairs (cursor, row) for `for` and `async for`, which `query` reads in batches; `key` names the cursor."""

    def __init__(self, query: Callable[[Any], Any], key: str, after: Any, batch: int) -> None:
        self._query = query
        self._key = key
        self._after = after
        self._batch = batch
        self._rows: deque[Any] = deque()
        self._is_last = False  # these rows are the last ones

    def __next__(self) -> tuple[Any, Any]:
        if not (self._rows or self._is_last):
            self._take(list(self._query(self._after)))
        if not self._rows:
            raise StopIteration
        return self._pair()

    async def __anext__(self) -> tuple[Any, Any]:
        if not (self._rows or self._is_last):
            found = self._query(self._after)
            if inspect.isawaitable(found):
                found = await found
            self._take([row async for row in found] if hasattr(found, "__aiter__") else list(found))
        if not self._rows:
            raise StopAsyncIteration
        return self._pair()

    def _take(self, rows: Sequence[Any]) -> None:
        self._rows.extend(rows)
        self._is_last = len(rows) < self._batch

    def _pair(self) -> tuple[Any, Any]:
        row = self._rows.popleft()
        cursor = getattr(row, self._key)
        self._after = cursor if isinstance(cursor, (int, str)) else str(cursor)
        return self._after, row
