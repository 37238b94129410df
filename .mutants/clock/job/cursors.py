"""Sources of items for `IterableJob.items`: each yields (cursor, item), and continues after a cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

BATCH = 1_000  # rows of one query
T = TypeVar("T")


def sequence(items: Sequence[T], after: int | None) -> Iterator[tuple[int, T]]:
    """The items of a list, a tuple or a range. The cursor is the index, so the sequence must not change.

    >>> list(sequence(["a", "b", "c"], after=0))
    [(1, 'b'), (2, 'c')]
    """
    for index in range(0 if after is None else after + 1, len(items)):
        yield index, items[index]


def lines(path: str | Path, after: int | None, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines of a file, without their line breaks. The cursor is the offset in bytes at which the line ends."""
    with Path(path).open("rb") as file:
        file.seek(after or 0)
        while line := file.readline():
            yield file.tell(), line.decode(encoding).rstrip("\r\n")


def queryset(rows: Any, after: Any, *, batch: int = BATCH) -> Iterator[tuple[Any, Any]]:
    """The rows of a Django queryset in the order of their primary keys, which are the cursors.

    Each batch is one query. Primary keys that JSON does not support, such as UUIDs, become texts.
    """
    ordered = rows.order_by("pk")
    while True:
        found = list((ordered if after is None else ordered.filter(pk__gt=after))[:batch])
        for row in found:
            after = _as_json(row.pk)
            yield after, row
        if len(found) < batch:
            return


def select(session: Any, query: Any, column: Any, after: Any, *, batch: int = BATCH) -> Iterator[tuple[Any, Any]]:
    """The rows of a SQLAlchemy `select` in the order of `column`. Its values must be unique: they are the cursors.

    `column` is an attribute of the first entity of the query, such as `User.id`. Each batch is one query.
    """
    ordered = query.order_by(column).limit(batch)
    while True:
        found = list(session.scalars(ordered if after is None else ordered.where(column > after)))
        for row in found:
            after = _as_json(getattr(row, column.key))
            yield after, row
        if len(found) < batch:
            return


def _as_json(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else str(value)
