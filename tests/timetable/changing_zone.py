"""A zone whose clocks change once, at any second and by any length."""

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ChangingZone(tzinfo):
    """Its clocks go by `shift` seconds, forward if positive, at the instant `at`, in seconds since 1970.

    Before that, its offset is `before` seconds.
    """

    def __init__(self, at: int, shift: int, before: int = 0) -> None:
        self._at = at
        self._before = before
        self._after = before + shift

    def offset(self, instant: int) -> int:
        """The offset from UTC at an instant, in seconds."""
        return self._before if instant < self._at else self._after

    def fromutc(self, moment: datetime) -> datetime:
        """The wall-clock time of a moment in UTC; `fold` is 1 if it was shown before the change as well."""
        instant = (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
        offset = self.offset(instant)
        is_again = instant >= self._at and instant + offset < self._at + self._before
        return (moment + timedelta(seconds=offset)).replace(fold=int(is_again))

    def utcoffset(self, wall: datetime | None) -> timedelta:
        """The offset of a wall-clock time, which the zone's clock shows."""
        assert wall is not None
        shown = (wall.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
        is_before = shown < self._at + self._before and not wall.fold
        return timedelta(seconds=self._before if is_before else self._after)

    def dst(self, _: datetime | None) -> None:
        """Unknown."""

    def tzname(self, _: datetime | None) -> None:
        """None: the zone has no name."""
