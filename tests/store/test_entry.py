"""An event's entry in the ledger, as it is read from Redis."""

import pytest

from clock.clocks import from_ms
from clock.store.ledger.entry import LATEST_MS, Entry, LedgerRow, instant_ms

NOON = 1_795_521_600_000


@pytest.mark.parametrize(
    ("decided_ms", "has_previous"),
    [
        (NOON - 1000, False),  # a new entry starts before its anchor, at which it may be due
        (NOON, True),
        (NOON + 1, False),  # another one starts a millisecond after it
        (NOON + 1000, True),
    ],
)
def test_an_entry_has_a_previous_due_instant_once_one_is_decided(decided_ms: int, has_previous: bool) -> None:
    assert Entry(NOON, decided_ms).previous == (from_ms(decided_ms) if has_previous else None)


def test_a_row_has_the_values_of_its_parts() -> None:
    assert LedgerRow.of(b"1000", b"daily", b"2000", b"x") == LedgerRow("daily", Entry(1000, 2000, "x"))
    assert LedgerRow.of(b"1000", b"daily", b"2000", None) == LedgerRow("daily", Entry(1000, 2000))


@pytest.mark.parametrize(
    ("declaration", "anchor", "decided"),
    [
        (None, b"1000", b"2000"),
        (b"daily", None, b"2000"),
        (b"daily", b"1000", None),
        (b"daily", b"x", b"2000"),
        (b"daily", b"1000", b"1.5"),
        (b"daily", b"1000", str(LATEST_MS + 1).encode()),
    ],
)
def test_a_row_with_a_missing_or_invalid_part_is_no_row(
    declaration: bytes | None, anchor: bytes | None, decided: bytes | None
) -> None:
    assert LedgerRow.of(anchor, declaration, decided, b"") is None


@pytest.mark.parametrize(
    "text", [b"", b"-1", b"1.5", b"x", "²".encode(), str(LATEST_MS + 1).encode(), b"9" * 99, None]
)
def test_a_text_that_is_no_instant_is_none(text: bytes | None) -> None:
    assert instant_ms(text) is None


def test_the_first_and_the_last_instant_are_instants() -> None:
    assert (instant_ms(b"0"), instant_ms(str(LATEST_MS).encode())) == (0, LATEST_MS)
