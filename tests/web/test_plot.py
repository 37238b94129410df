from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clock.web.charts.plot import Stretch, framed

BERLIN, BEIRUT = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Beirut")


def _texts(first: datetime, days: int, zone: ZoneInfo) -> list[str]:
    chart = framed("", (), Stretch(first, first + timedelta(days=days), zone), "")
    return re.findall(r">([^<>]+)</text>", chart)


@pytest.mark.parametrize(
    ("first", "days", "zone", "texts"),
    [
        (datetime(2026, 11, 29, 13, tzinfo=UTC), 3, BERLIN, ["Mon 30", "Tue 01", "Wed 02"]),
        (datetime(2026, 10, 24, 8, tzinfo=UTC), 3, BERLIN, ["Sun 25", "Mon 26", "Tue 27"]),  # summer time ends
        (datetime(2026, 10, 24, 8, tzinfo=BERLIN), 3, BERLIN, ["Sun 25", "Mon 26", "Tue 27"]),
        (datetime(2026, 3, 28, 8, tzinfo=UTC), 3, BEIRUT, ["Sun 29", "Mon 30", "Tue 31"]),  # 29 starts at 01:00
        (datetime(2026, 11, 29, 13, tzinfo=UTC), 9, BERLIN, ["Tue 01", "Thu 03", "Sat 05", "Mon 07"]),
        (datetime(2026, 11, 29, 13, tzinfo=UTC), 30, BERLIN, ["Mon 30", "Mon 07", "Mon 14", "Mon 21", "Mon 28"]),
    ],
)
def test_a_chart_of_several_days_names_each_day_once(
    first: datetime, days: int, zone: ZoneInfo, texts: list[str]
) -> None:
    assert _texts(first, days, zone) == texts


def test_a_chart_of_a_day_has_times() -> None:
    texts = _texts(datetime(2026, 11, 29, 13, 10, tzinfo=UTC), 1, BERLIN)

    assert texts == ["15:00", "18:00", "21:00", "00:00", "03:00", "06:00", "09:00", "12:00"]
