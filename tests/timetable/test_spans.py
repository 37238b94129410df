"""Due instants that are counted and read from their end."""

from collections.abc import Iterable

import pytest

from clock.timetable.triggers.wall_times import Countable, Joined, Span, span_of


@pytest.mark.parametrize("make", [list, iter, lambda found: Joined(found[0], range(found[1], found[-1] + 1, 2))])
@pytest.mark.parametrize(("most", "last"), [(1, [9]), (3, [5, 7, 9]), (9, [2, 3, 5, 7, 9])])
def test_a_span_has_the_first_instant_the_number_and_the_last_ones(
    make: type[list[int]], most: int, last: list[int]
) -> None:
    assert span_of(make([2, 3, 5, 7, 9]), most) == Span(2, 5, last)


@pytest.mark.parametrize("nothing", [[], iter(()), range(0)], ids=["list", "iterator", "range"])
def test_without_an_instant_there_is_no_span(nothing: Iterable[int]) -> None:
    assert span_of(nothing) is None


def test_what_can_be_counted_is_not_made() -> None:
    joined = Joined(-5, range(0, 10**12, 10))

    assert isinstance(joined, Countable)
    assert len(joined) == 10**11 + 1
    assert span_of(joined, 2) == Span(-5, 10**11 + 1, [10**12 - 20, 10**12 - 10])
    assert list(reversed(Joined(1, range(4, 10, 2)))) == [8, 6, 4, 1]
