"""Workers and Redis are killed while jobs run, and queues hold nonsense; in full size, see the benchmarks."""

import random
from pathlib import Path

import pytest

from benchmarks.faults import rules, worker
from tests.examples import ARE_MANY

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)  # noqa: S311  # no secret


def test_a_misspelt_fault_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["worker.py", "--only", "fanout"])

    with pytest.raises(SystemExit) as ended:
        worker.main()

    assert ended.value.code == 2
    assert "invalid choice: 'fanout'" in capsys.readouterr().err


def test_killed_workers_lose_no_job_and_repeat_at_most_what_was_in_flight(
    tmp_path: Path, rng: random.Random
) -> None:
    assert "none lost" in worker.kills(tmp_path, 3_000, rng)


def test_jobs_beside_those_that_hold_the_interpreter_lock_run_once(tmp_path: Path, rng: random.Random) -> None:
    assert "each ran once" in worker.frozen(tmp_path, 1_000, rng)


def test_workers_stopped_at_random_run_each_job_once(tmp_path: Path, rng: random.Random) -> None:
    assert "each ran once" in worker.stops(tmp_path, 3_000, rng)


def test_no_job_is_lost_when_redis_restarts_and_connections_are_cut(tmp_path: Path, rng: random.Random) -> None:
    assert "none lost" in worker.outages(tmp_path, 3_000, rng)


@pytest.mark.skipif(not ARE_MANY, reason="takes a minute: in `make thorough`")
def test_a_killed_fan_out_pushes_each_job_once(tmp_path: Path, rng: random.Random) -> None:
    assert "each job was pushed once" in worker.fan_out(tmp_path, 2_000, rng)


@pytest.mark.skipif(not ARE_MANY, reason="takes minutes: in `make thorough`")
def test_no_fault_breaks_a_rule_of_flow_control(tmp_path: Path, rng: random.Random) -> None:
    _, wrong = rules.rules(tmp_path, 60.0, 500, rng)

    assert wrong == []


def test_good_jobs_run_among_nonsense_and_each_bad_payload_is_accounted_for(
    tmp_path: Path, rng: random.Random
) -> None:
    assert "good jobs ran" in worker.nonsense(tmp_path, 150, rng)
