"""Ten thousand events that live in a database: how long a sync takes, and what it makes late.

python benchmarks/database_events.py [COUNT]
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.server import quiet_redis
from clock.clocks import SystemClock
from clock.store.ledger.decision import Decision, Verdict
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.ticker import Signature, Ticker
from clock.timetable import load

CLOCK_FILE = """
from datetime import timedelta
from clock import Job, configure, every, sync_events
class CountJob(Job):
    def perform(self, *args): ...
configure(tz="UTC", catch_up="all")
every(1).seconds.do(CountJob).named("often")
asked = []
def rows():
    asked.append(1)
    hour = len(asked) // 2 % 24  # every second time all rows are edited
    return [{"id": n, "name": f"row.{n}", "cron": f"{n % 60} {hour} * * *"} for n in range(COUNT)]
sync_events(rows, every=timedelta(seconds=6), do=CountJob)
"""


class TimedLedger(RedisLedger):
    """A ledger that remembers how late the event of the file was committed, in ms."""

    late: list[float] = []  # noqa: RUF012  # one ledger, one list

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        """Commit, and look at the clock."""
        verdicts = super().commit(decisions, publication)
        now_ms = SystemClock().now().timestamp() * 1000
        self.late += [now_ms - decision.due_ms for decision in decisions if decision.event == "often"]
        return verdicts


def main() -> None:
    """Let all rows be new, and later edited or left as they are by turns."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    time, never = SystemClock(), threading.Event()
    with tempfile.TemporaryDirectory() as name, quiet_redis(Path(name)) as redis:
        folder = Path(name)
        (folder / "clock.py").write_text(CLOCK_FILE.replace("COUNT", str(count)))
        ledger = TimedLedger(redis)
        ticker = Ticker(load(folder / "clock.py"), ledger=ledger, clock=time, signature=Signature("here", "v1"))
        thread = threading.Thread(target=ticker.run)
        thread.start()
        started = time.monotonic()
        while len(ticker.planned) <= count:
            time.wait(never, 0.01)
        print(f"{count} new rows: in the plan after {time.monotonic() - started:.2f} s")
        time.wait(never, 20)
        ticker.stop()
        thread.join()
        late = sorted(ledger.late)
        middle, longest = late[len(late) // 2], late[-1]
        print(f"an event of every second meanwhile: median {middle:.1f} ms late, longest {longest:.1f} ms")


if __name__ == "__main__":
    main()
