"""Two versions of the clock file during a deploy, and its roll-back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.errors import Outranked
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker, release_of
from clock.timetable import Timetable

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minutely(*names: str) -> str:
    return "".join(f'every().minute.at(":00").do(FetchNewsJob, "x").named({name!r})\n' for name in names)


OLD, NEW = minutely("kept", "removed"), minutely("kept", "added")

Run = Callable[[str, int], Ticker]


@pytest.fixture
def lead(redis: Redis, fake_clock: FakeClock, declare: Callable[..., Timetable]) -> Run:
    """A clock of a release that has taken the lead, and looked once."""

    def begin(lines: str, rank: int) -> Ticker:
        name = f"v{rank}"
        assert Lease(redis, identity=name, release=name, rank=rank).take(60).holder == name
        ledger = RedisLedger(redis, release=name, rank=rank)
        ticker = Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("web1", name))
        ticker.tick()
        return ticker

    return begin


def releases(redis: Redis, event: str) -> list[tuple[str, object]]:
    records = reversed(list(RedisLedger(redis).history(event)))
    return [(f"{datetime.fromtimestamp(int(str(r['due'])) / 1000, UTC):%H:%M}", r["release"]) for r in records]


def test_the_old_file_fires_before_the_switch_and_the_new_one_after_it(
    lead: Run, redis: Redis, fake_clock: FakeClock
) -> None:
    old = lead(OLD, 41)
    fake_clock.travel_to(SIX)
    old.tick()

    new = lead(NEW, 42)
    fake_clock.travel_to(SIX + MINUTE)
    old.tick()
    with pytest.raises(Outranked):
        old.tick()
    new.tick()

    assert releases(redis, "kept") == [("06:00", "v41"), ("06:01", "v42")]
    assert releases(redis, "removed") == [("06:00", "v41")]
    assert releases(redis, "added") == [("06:01", "v42")]


def test_a_bad_deploy_and_its_roll_back_lose_nothing(lead: Run, redis: Redis, fake_clock: FakeClock) -> None:
    old = lead(OLD, 41)
    fake_clock.travel_to(SIX)
    old.tick()
    lead(NEW, 42)

    fake_clock.travel_to(SIX + 5.5 * MINUTE)
    lead(OLD, 43)

    assert releases(redis, "removed") == [("06:00", "v41"), ("06:04", "v43"), ("06:05", "v43")]
    kinds = [record["decision"] for record in RedisLedger(redis).history("removed")]
    assert kinds == ["caught_up", "missed", "fired"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HEROKU_RELEASE_VERSION": "v42"}, ("v42", 42)),
        ({"CLOCK_RELEASE": "7"}, ("7", 7)),
        ({"CLOCK_RELEASE": "f00ba4"}, ("f00ba4", 1000)),
        ({"CLOCK_RELEASE": "999999"}, ("999999", 999999)),
        ({"CLOCK_RELEASE": "1234567"}, ("1234567", 1000)),  # a commit's abbreviated hash
        ({"CLOCK_RELEASE": "v20261124120000"}, ("v20261124120000", 20261124120000)),
    ],
)
def test_a_release_is_ranked_by_its_number_else_by_when_it_started(
    tmp_path: Path, environ: dict[str, str], expected: tuple[str, int]
) -> None:
    found = release_of(tmp_path / "clock.py", environ=environ, started=from_ms(1000))

    assert (found.name, found.rank) == expected


def test_a_file_without_a_release_goes_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text("a = 1\n")
    first = release_of(file, environ={}, started=from_ms(1))
    file.write_text("a = 2\n")

    assert first.name != release_of(file, environ={}, started=from_ms(2)).name
    assert re.fullmatch(r"[0-9a-f]{12}", first.name)
