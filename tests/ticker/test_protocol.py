"""The protocol of fire, ledger and lease as a model: clocks interleaved with crashes, pauses, releases and time.

Each rule runs the real ticker on the real scripts. What no order of steps may do: enqueue a (event, due instant)
twice, or leave one out once a clock has looked.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.errors import Outranked, StoreUnavailable
from clock.job.push.client import using_clock
from clock.store import keys, listing
from clock.store.ledger import pauses
from clock.store.ledger.decision import Decision, Verdict
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.timetable import Timetable
from tests.examples import examples

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
CLOCKS = ("a", "b", "c")
EVENTS = ("fast", "slow", "pushing")
OLD, NEW = {"fast": 1000, "slow": 3000, "pushing": 2000}, {"fast": 1000, "slow": 4000}
PERIODS_MS = {"v1": OLD, "v2": NEW, "v3": OLD, "v4": NEW}


class Crash(BaseException):
    """The process ends here: nothing of it goes on."""


class CrashingLedger(RedisLedger):
    """A ledger on whose clock the process dies: before the next commit, or before it hears the answer."""

    crash: str | None = None

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        if self.crash == "before" and decisions:
            raise Crash
        verdicts = super().commit(decisions, publication)
        if self.crash == "after" and decisions:
            raise Crash
        if self.crash == "answer lost" and decisions:
            self.crash = None
            raise StoreUnavailable("the answer was lost")
        return verdicts


class Process:
    """A clock: it leads for as long as it believes to, which may be longer than it does."""

    def __init__(self, redis: Redis, clock: FakeClock, name: str, release: str, timetable: Timetable) -> None:
        rank = int(release[1:])
        self.release = release
        self.lease = Lease(redis, identity=f"{name}{release}", release=release, rank=rank)
        self.identity = f"{name}{release}"
        self.ledger = CrashingLedger(redis, release=release, rank=rank)
        self.ticker = Ticker(
            timetable,
            ledger=self.ledger,
            clock=clock,
            signature=Signature(name, release),
            mode=ON_THE_LOOP,
        )
        self.leads = False


class Clocks(RuleBasedStateMachine):
    redis: Redis
    timetables: dict[str, Timetable]

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        self.clock = FakeClock(START)
        self._using = using_clock(self.clock)
        self._using.__enter__()
        self.running: dict[str, Process] = {}
        self.release = 1
        self.newest = "v1"

    def teardown(self) -> None:
        self._using.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        self.start("a")
        self.look("a")

    @rule(name=st.sampled_from(CLOCKS))
    def start(self, name: str) -> None:
        if name not in self.running:
            timetable = self.timetables[self.newest]
            self.running[name] = Process(self.redis, self.clock, name, self.newest, timetable)

    @rule(name=st.sampled_from(CLOCKS))
    def beat(self, name: str) -> None:
        if process := self.running.get(name):
            process.leads = process.lease.take(3_600).holder == process.identity

    @rule(name=st.sampled_from(CLOCKS), patience=st.booleans())
    def tick(self, name: str, patience: bool) -> None:
        """Tick where it believes to lead; with no patience even where it does not: as one that was suspended."""
        process = self.running.get(name)
        if process is None or not (process.leads or not patience):
            return
        try:
            process.ticker.tick()
        except (StoreUnavailable, Outranked):
            process.leads = process.leads and False
        except Crash:
            del self.running[name]

    @rule(name=st.sampled_from(CLOCKS), how=st.sampled_from(("before", "after", "answer lost")))
    def doom(self, name: str, how: str) -> None:
        if process := self.running.get(name):
            process.ledger.crash = how

    @rule(name=st.sampled_from(CLOCKS))
    def kill(self, name: str) -> None:
        self.running.pop(name, None)

    @rule(name=st.sampled_from(CLOCKS))
    def stop(self, name: str) -> None:
        if process := self.running.pop(name, None):
            process.lease.give_back()

    @rule()
    def let_the_lease_run_out(self) -> None:
        self.redis.delete(keys.LEASE)

    @rule(seconds=st.integers(1, 12), ms=st.integers(0, 999))
    def pass_time(self, seconds: int, ms: int) -> None:
        self.clock.advance(timedelta(seconds=seconds, milliseconds=ms))

    @rule(seconds=st.integers(1, 5))
    def set_the_clock_back(self, seconds: int) -> None:
        self.clock.travel_to(self.clock.now() - timedelta(seconds=seconds))

    @rule()
    def deploy(self) -> None:
        """A new release; every second one rolls the one before it back."""
        if self.release < len(PERIODS_MS):
            self.release += 1
            self.newest = f"v{self.release}"

    @rule(event=st.sampled_from([*EVENTS, pauses.ALL]), seconds=st.integers(1, 6))
    def pause(self, event: str, seconds: int) -> None:
        now = self.clock.now()
        pauses.pause(self.redis, event, Pause(now, now + timedelta(seconds=seconds)))

    @rule(event=st.sampled_from([*EVENTS, pauses.ALL]))
    def resume(self, event: str) -> None:
        pauses.resume(self.redis, event, self.clock.now())

    def look(self, name: str) -> None:
        """One healthy clock of the newest release looks."""
        self.running.pop(name, None)
        self.redis.delete(keys.LEASE)
        self.start(name)
        self.beat(name)
        self.tick(name, patience=True)

    @invariant()
    def nothing_is_enqueued_twice(self) -> None:
        assert [pushed for pushed, times in self.pushed().items() if times > self.jobs_of(pushed[0])] == []

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(CLOCKS))
    def a_living_clock_leaves_nothing_out(self, name: str) -> None:
        self.look(name)

        pushed, now_ms = self.pushed(), to_ms(self.clock.now())
        ledger = RedisLedger(self.redis)
        for event, row in listing.ledger(self.redis).items():
            if event not in PERIODS_MS[self.newest]:
                continue  # it has left the clock file
            period, entry = PERIODS_MS[self.newest][event], row.entry
            dues = range(entry.anchor_ms + period, entry.decided_ms + 1, period)
            decisions = {int(str(record["due"])): record["decision"] for record in ledger.history(event)}
            assert {due for due in decisions if due > entry.anchor_ms} == set(dues), row.declaration
            for due in dues:
                jobs = self.jobs_of(event) if decisions[due] in ("fired", "caught_up") else 0
                assert pushed[event, due] == jobs, f"{event} due {from_ms(due)}: {decisions[due]}"
            assert max(entry.anchor_ms, entry.decided_ms) + period > now_ms

    def jobs_of(self, event: str) -> int:
        return 2 if event == "pushing" else 1

    def pushed(self) -> Counter[tuple[str, int]]:
        rows: Any = self.redis.lrange("queue:default", 0, -1)
        firings = [json.loads(row)["clock"] for row in rows]
        return Counter((firing["event"], firing["due"]) for firing in firings)


HEAD = """
def push_two():
    FetchNewsJob.perform_async("one")
    FetchNewsJob.perform_async("two")
configure(catch_up="all")
"""


def lines(periods_ms: dict[str, int]) -> str:
    """A clock file of these events."""
    actions = {"pushing": "push_two"}
    return HEAD + "".join(
        f"every({ms // 1000}).seconds.do({actions.get(name, 'FetchNewsJob, 1')}).named({name!r})\n"
        for name, ms in periods_ms.items()
    )


def test_no_order_of_steps_enqueues_a_due_instant_twice_or_leaves_one_out(
    redis: Redis, declare: Callable[..., Timetable]
) -> None:
    timetables = {release: declare(lines(periods)) for release, periods in PERIODS_MS.items()}
    machine = type("Machine", (Clocks,), {"redis": redis, "timetables": timetables})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(100),
            stateful_step_count=40,
        ),
    )
