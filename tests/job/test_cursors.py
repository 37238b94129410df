"""The sources of items: each continues after its cursor."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from clock.job import cursors


class Base(DeclarativeBase):
    pass


class Reader(Base):
    __tablename__ = "readers"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_a_select_is_read_in_batches_by_a_unique_column(batch: int) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Reader(id=number) for number in (5, 1, 3, 4))
        session.flush()
        query = sqlalchemy.select(Reader).where(Reader.id != 4)

        rows = list(cursors.select(session, query, Reader.id, None, batch=batch))
        later = list(cursors.select(session, query, Reader.id, 1, batch=batch))

        assert [(cursor, row.id) for cursor, row in rows] == [(1, 1), (3, 3), (5, 5)]
        assert [cursor for cursor, _ in later] == [3, 5]
    engine.dispose()


def test_rows_can_be_taken_one_by_one() -> None:
    rows = cursors.queryset(_Rows(["a", "b", "c"], []), None, batch=2)

    assert next(rows)[0] == "a"
    assert [cursor for cursor, _ in rows] == ["b", "c"]


def test_the_lines_of_a_file_continue_at_an_offset(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes("ä,1\r\nb,2\n\nlast".encode())

    pairs = list(cursors.lines(file, None))

    assert [line for _, line in pairs] == ["ä,1", "b,2", "", "last"]
    for place, (cursor, _) in enumerate(pairs):
        assert list(cursors.lines(str(file), cursor)) == pairs[place + 1 :]


def test_a_sequence_continues_after_an_index() -> None:
    assert list(cursors.sequence(range(10, 13), None)) == [(0, 10), (1, 11), (2, 12)]
    assert list(cursors.sequence([], None)) == []
    assert list(cursors.sequence("abc", after=2)) == []


class _Rows:
    """A queryset of primary keys, as far as it is used."""

    def __init__(self, keys: list[str], queries: list[str]) -> None:
        self.keys, self.queries = keys, queries

    def order_by(self, name: str) -> "_Rows":
        assert name == "pk"
        return _Rows(sorted(self.keys), self.queries)

    def filter(self, pk__gt: str) -> "_Rows":
        return _Rows([key for key in self.keys if key > pk__gt], self.queries)

    def __getitem__(self, part: slice) -> list["_Row"]:
        self.queries.append(f"{part.stop}")
        return [_Row(key) for key in self.keys[part]]


class _Row:
    def __init__(self, pk: str) -> None:
        self.pk = pk


def test_a_queryset_is_read_in_batches_by_its_primary_key() -> None:
    queries: list[str] = []

    pairs = list(cursors.queryset(_Rows(["c", "a", "b"], queries), None, batch=2))

    assert [cursor for cursor, _ in pairs] == ["a", "b", "c"]
    assert queries == ["2", "2"]
    assert [cursor for cursor, _ in cursors.queryset(_Rows(["c", "a", "b"], queries), "b")] == ["c"]


def test_a_select_of_an_async_session_is_read_by_async_for() -> None:
    async def ids(after: int | None) -> list[tuple[int, int]]:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add_all(Reader(id=number) for number in (5, 1, 3))
            await session.flush()
            rows = cursors.select(session, sqlalchemy.select(Reader), Reader.id, after, batch=2)
            found = [(cursor, row.id) async for cursor, row in rows]
        await engine.dispose()
        return found

    assert asyncio.run(ids(None)) == [(1, 1), (3, 3), (5, 5)]
    assert asyncio.run(ids(3)) == [(5, 5)]
