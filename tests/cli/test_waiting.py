import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import click
import pytest
from click.testing import Result
from redis import Redis

from clock import Job
from clock.cli import job_arguments
from clock.cli.app import main
from clock.errors import ClockError

Clock = Callable[..., Result]


class HideSecretJob(Job):
    encrypt = True

    def perform(self, secret: dict[str, str]) -> None: ...


def seconds_from_now(seconds: float) -> float:
    return datetime.now(UTC).timestamp() + seconds


def payload(jid: str, **fields: object) -> str:
    return json.dumps({"class": "SendMailJob", "args": [7], "queue": "default", "jid": jid, **fields})


@pytest.fixture
def retries(redis: Redis) -> None:
    redis.zadd(
        "retry",
        {
            payload(
                "a",
                failed_at=seconds_from_now(-7200),
                error_class="OSError",
                error_message="down",
                retry_count=2,
            ): seconds_from_now(9_000),
            payload("b", failed_at=seconds_from_now(-60), queue="low"): seconds_from_now(12_000),
            payload("c", **{"class": "CountSheepJob"}, failed_at=seconds_from_now(0)): seconds_from_now(90_000),
        },
    )


@pytest.mark.usefixtures("retries")
def test_jobs_are_listed_with_what_they_failed_with(clock: Clock) -> None:
    lines = clock("retry", "list").output.splitlines()

    assert lines[0].split() == ["when", "class", "args", "queue", "retries", "jid", "error"]
    assert "SendMailJob" in lines[1]
    assert "OSError: down" in lines[1]
    assert lines[1].startswith("in 2 h")
    assert len(lines) == 4


@pytest.mark.usefixtures("retries")
@pytest.mark.parametrize(
    ("words", "jids"),
    [
        (["--class", "Send*"], ["a", "b"]),
        (["--queue", "low"], ["b"]),
        (["--older-than", "1h"], ["a"]),
        (["--older-than", "1 hour"], ["a"]),
        (["--limit", "1"], ["a"]),
    ],
)
def test_jobs_are_chosen_by_filters(clock: Clock, words: list[str], jids: list[str]) -> None:
    assert [job["jid"] for job in json.loads(clock("retry", "list", "--json", *words).output)] == jids


@pytest.mark.usefixtures("retries")
def test_a_list_says_how_many_more_there_are(clock: Clock) -> None:
    assert clock("retry", "list", "--limit", "1").output.endswith("... and 2 more; use --limit to show them\n")


@pytest.mark.usefixtures("retries")
@pytest.mark.parametrize(
    ("words", "jids"),
    [
        (["list", "--error", "DOWN"], ["a"]),
        (["list", "--args", "7"], ["a", "b", "c"]),
        (["search", "oserror"], ["a"]),
        (["search", "CountSheep"], ["c"]),
        (["search", "b", "--queue", "low"], ["b"]),
    ],
)
def test_jobs_are_searched_by_what_they_contain(clock: Clock, words: list[str], jids: list[str]) -> None:
    assert [job["jid"] for job in json.loads(clock("retry", *words, "--json").output)] == jids


@pytest.mark.usefixtures("retries")
def test_a_list_with_a_filter_says_that_there_are_more(clock: Clock) -> None:
    shown = clock("retry", "list", "--class", "*", "--limit", "1").output

    assert shown.endswith("... and some more; use --limit to show them\n")


@pytest.mark.usefixtures("retries")
def test_jobs_are_rescheduled(clock: Clock, redis: Redis) -> None:
    shown = clock("retry", "reschedule", "--class", "Send*", "--at", "3h", answer="y\n").output

    assert "Reschedule 2 of `retry` to " in shown
    assert shown.endswith("Rescheduled: 2\n")
    assert redis.zcount("retry", seconds_from_now(3 * 3600 - 100), seconds_from_now(3 * 3600 + 100)) == 2
    with pytest.raises(ClockError, match="--at is 'soon'; use 2026-12-24"):
        clock("retry", "reschedule", "a", "--at", "soon")


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_jids_are_shown_whole_on_a_terminal_of_any_width(clock: Clock, redis: Redis, columns: int) -> None:
    jid = "2f9b51d4c0d3a86e7b1f0c5d"
    fields = {"args": ["x" * 40], "error_class": "OSError", "error_message": "y" * 90, "retry_count": 1}
    redis.zadd("dead", {payload(jid, queue="critical", **fields): seconds_from_now(-35)})

    lines = clock("dead", "list", columns=columns).output.splitlines()

    assert any(jid in line for line in lines)
    assert max(map(len, lines)) <= columns
    assert "y" * 90 in "".join(line.strip() for line in lines)


def test_an_age_that_is_none_says_what_is_accepted(clock: Clock) -> None:
    shown = clock("retry", "list", "--older-than", "yesterday")

    assert shown.exit_code == 2
    assert "'yesterday' is not an age; write 90s, 15m, 2h, 7d or 1w" in shown.output


@pytest.mark.usefixtures("retries")
def test_one_job_is_shown_whole(clock: Clock) -> None:
    shown = clock("retry", "show", "a").output

    assert "error_message: down" in shown
    assert "args: [7]" in shown
    assert json.loads(clock("retry", "show", "a", "--json").output)["retry_count"] == 2


def test_times_of_a_job_are_shown_as_dates(clock: Clock, redis: Redis) -> None:
    times = {
        "created_at": 1795888800.5,
        "failed_at": 1795888801000,
        "clock": {"event": "nightly", "due": 1795888800000},
    }
    redis.zadd("dead", {payload("a", enqueued_at="soon", retried_at=1e300, **times): 1795888802})

    lines = clock("dead", "show", "a").output.splitlines()

    assert {
        "created_at: 2026-11-28 18:00:00 UTC",
        "failed_at: 2026-11-28 18:00:01 UTC",
        "clock: event nightly, due 2026-11-28 18:00:00 UTC",
        "at: 2026-11-28 18:00:02 UTC",
        "enqueued_at: soon",
        "retried_at: 1e+300",
    } <= set(lines)


def test_a_job_that_is_not_there_is_named(clock: Clock) -> None:
    for words in (["retry", "show", "zzz"], ["dead", "retry", "zzz"], ["scheduled", "delete", "zzz"]):
        with pytest.raises(ClockError, match="has no job zzz"):
            clock(*words)


@pytest.mark.usefixtures("retries")
def test_a_job_is_retried_after_a_yes(clock: Clock, redis: Redis) -> None:
    shown = clock("retry", "retry", "a", answer="y\n")

    assert "Put 1 of `retry` into their queues? [y/N]" in shown.output
    assert shown.output.endswith("Enqueued: 1\n")
    assert redis.llen("queue:default") == 1
    assert redis.zcard("retry") == 2


@pytest.mark.usefixtures("retries")
@pytest.mark.parametrize("verb", ["retry", "delete", "kill"])
def test_a_no_changes_nothing(clock: Clock, redis: Redis, verb: str) -> None:
    shown = clock("retry", verb, "--class", "Send*", answer="n\n")

    assert shown.exit_code == 1
    assert redis.zcard("retry") == 3


@pytest.mark.usefixtures("retries")
@pytest.mark.parametrize("verb", ["retry", "delete", "kill"])
def test_no_choice_is_no_choice_of_all(clock: Clock, redis: Redis, verb: str) -> None:
    shown = clock("retry", verb, "--yes")

    assert shown.exit_code == 2
    assert "select jobs by JID, or with --class, --queue, --older-than, --args or --error" in shown.output
    assert redis.zcard("retry") == 3


@pytest.mark.usefixtures("retries")
@pytest.mark.parametrize("option", ["--class", "--queue", "--args", "--error"])
def test_an_empty_condition_is_not_a_choice_of_all(clock: Clock, redis: Redis, option: str) -> None:
    shown = clock("retry", "delete", option, "", "--yes")

    assert (shown.exit_code, f"{option} is empty" in shown.output) == (2, True)
    assert redis.zcard("retry") == 3


@pytest.mark.parametrize(
    "words", [("retry", "list", "--limit"), ("queue", "list", "default", "--limit"), ("history", "--limit")]
)
def test_a_number_that_cannot_be_counted_is_refused(clock: Clock, words: tuple[str, ...]) -> None:
    shown = clock(*words, "9" * 30)

    assert (shown.exit_code, "is not in the range" in shown.output) == (2, True)


def test_an_empty_text_to_search_for_is_refused(clock: Clock, redis: Redis) -> None:
    shown = clock("dead", "search", "")

    assert (shown.exit_code, "the text is empty; give a text to search for" in shown.output) == (2, True)


def test_an_empty_key_of_a_lock_is_refused(clock: Clock, redis: Redis) -> None:
    shown = clock("unique", "free", "")

    assert (shown.exit_code, "the key is empty; `clock unique list` shows the keys" in shown.output) == (2, True)


def test_a_missing_key_of_encryption_is_reported(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOCK_ENCRYPTION_KEYS", ",")

    assert clock("encryption", "keys").output.startswith("No keys here, and no encrypted jobs.")


def test_a_kill_says_how_many_older_dead_jobs_the_limit_has_removed(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOCK_DEAD_MAX_JOBS", "1000")
    redis.zadd("dead", {payload(f"old-{number}"): seconds_from_now(-60) for number in range(500)})
    redis.zadd("retry", {payload(f"new-{number}"): seconds_from_now(60) for number in range(1_950)})

    shown = clock("retry", "kill", "--class", "*", "--yes")

    assert shown.output == ("Moved to dead: 1950; 1,450 older dead jobs were removed by dead_max_jobs = 1000\n")
    assert redis.zcard("dead") == 1_000


@pytest.mark.usefixtures("retries")
def test_yes_does_not_ask(clock: Clock, redis: Redis) -> None:
    assert clock("retry", "delete", "--class", "Send*", "--yes").output == "Deleted: 2\n"
    assert clock("retry", "kill", "c", "--yes").output == "Moved to dead: 1\n"
    assert clock("dead", "retry", "--all", "--yes").output == "Enqueued: 1\n"
    assert (redis.zcard("retry"), redis.zcard("dead"), redis.llen("queue:default")) == (0, 0, 1)


@pytest.mark.usefixtures("retries")
def test_where_nobody_can_answer_the_way_to_go_on_is_told(clock: Clock, redis: Redis) -> None:
    with pytest.raises(ClockError, match=r"nothing changed\. Use --yes to skip this question"):
        clock("retry", "clear")

    assert redis.zcard("retry") == 3


@pytest.mark.usefixtures("queued")
@pytest.mark.parametrize(
    "words", [["dead", "clear"], ["retry", "retry", "--all"], ["queue", "delete", "low", "--class", "X"]]
)
def test_nothing_is_asked_where_there_is_nothing_to_do(clock: Clock, words: list[str]) -> None:
    shown = clock(*words)

    assert (shown.exit_code, shown.stdout) == (0, f"{'Enqueued' if 'retry' in words else 'Deleted'}: 0\n")


@pytest.mark.usefixtures("retries")
def test_a_try_that_was_asked_for_is_not_counted(clock: Clock, redis: Redis) -> None:
    redis.zadd("retry", {payload("first", retry_count=0): 1})
    clock("retry", "retry", "first", "--yes")

    assert clock("queue", "list", "default").output.splitlines()[1].split()[-2:] == ["0", "first"]


@pytest.mark.usefixtures("retries")
def test_all_are_cleared(clock: Clock, redis: Redis) -> None:
    assert clock("retry", "clear", answer="y\n").output.endswith("Deleted: 3\n")
    assert redis.zcard("retry") == 0


def test_a_progress_bar_is_shown_where_there_are_many(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_arguments, "SHOWN_FROM", 3)
    for count, shown in ((2, False), (3, True)):
        redis.zadd("dead", {payload(str(index)): 1 for index in range(count)})

        assert ("Deleting" in clock("dead", "delete", "--class", "*", "--yes").stderr) is shown


@pytest.fixture
def queued(redis: Redis) -> None:
    redis.sadd("queues", "default", "low")
    redis.lpush(
        "queue:default",
        payload("a", enqueued_at=seconds_from_now(-7200)),
        payload("b", enqueued_at=seconds_from_now(0)),
    )


@pytest.mark.usefixtures("queued")
def test_queues_are_listed_with_their_latency(clock: Clock) -> None:
    lines = clock("queue", "list").output.splitlines()

    assert lines[1].split() == ["default", "2", "2", "h"]
    assert lines[2].split() == ["low", "0", "-"]


@pytest.mark.usefixtures("queued")
def test_a_queue_whose_key_another_program_has_taken_is_named_beside_the_others(
    clock: Clock, redis: Redis
) -> None:
    redis.sadd("queues", "foreign")
    redis.hset("queue:foreign", "a", "hash")

    shown = clock("queue", "list")

    assert shown.exit_code == 0
    assert [line.split() for line in shown.output.splitlines()[1:4]] == [
        ["default", "2", "2", "h"],
        ["foreign", "0", "-"],
        ["low", "0", "-"],
    ]
    assert shown.output.splitlines()[4] == (
        "! no worker can process the queue 'foreign': another program's 'queue:foreign' is not a list"
    )
    assert "queue 'foreign'" in clock("status").output
    assert [view["is_list"] for view in json.loads(clock("queue", "list", "--json").output)] == [True, False, True]


@pytest.mark.usefixtures("queued")
def test_a_queue_is_paused_and_unpaused(clock: Clock, redis: Redis) -> None:
    told = [clock("queue", verb, "low").output for verb in ("pause", "pause", "list", "unpause", "unpause")]

    assert told[0] == "Paused the queue 'low'\n"
    assert told[1] == "'low' was paused already\n"
    assert told[3:] == ["Unpaused the queue 'low'\n", "'low' was not paused\n"]
    clock("queue", "pause", "low")
    assert redis.smembers("paused") == {b"low"}
    assert clock("queue", "pause", "defualt").output.splitlines() == [
        "Paused the queue 'defualt'",
        "No job has used the queue 'defualt' yet; known queues: default, low",
    ]
    clock("queue", "unpause", "defualt")
    assert clock("queue", "list").output.splitlines()[2].split() == ["low", "0", "-", "paused"]
    assert json.loads(clock("queue", "search", "default", "nothing", "--json").output) == []
    assert len(json.loads(clock("queue", "search", "default", "sendmail", "--json").output)) == 2


@pytest.mark.usefixtures("queued")
def test_the_jobs_of_a_queue_are_listed_the_next_first(clock: Clock) -> None:
    jobs = json.loads(clock("queue", "list", "default", "--json").output)

    assert [job["jid"] for job in jobs] == ["a", "b"]
    assert "[7]" in clock("queue", "show", "default", "b").output


@pytest.mark.usefixtures("queued")
def test_jobs_of_a_queue_are_deleted(clock: Clock, redis: Redis) -> None:
    assert clock("queue", "delete", "default", "--older-than", "1h", "--yes").output == "Deleted: 1\n"
    assert clock("queue", "clear", "default", answer="y\n").output.endswith("Deleted: 1\n")
    assert redis.smembers("queues") == {b"low"}


@pytest.mark.usefixtures("queued")
def test_a_queue_that_there_is_not_is_named_with_those_that_there_are(clock: Clock) -> None:
    with pytest.raises(ClockError, match="no queue 'defualt'; available: default, low"):
        clock("queue", "clear", "defualt")


def test_what_a_terminal_would_obey_is_taken_out_of_what_is_shown(clock: Clock, redis: Redis) -> None:
    redis.zadd("dead", {payload("a", args=["\x1b[2J"], error_class="\x1b[31mX", error_message=""): 1})

    for words in (["dead", "list"], ["dead", "show", "a"]):
        assert "\x1b" not in clock(*words).output


def test_a_job_whose_time_is_no_date_is_listed_with_the_number(redis: Redis, clock: Clock) -> None:
    redis.zadd("dead", {payload("a"): 1e300, payload("b"): float("inf"), payload("c"): -1e300})

    shown = clock("dead", "list")

    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.output.splitlines()] == ["when", "-1e+300", "1e+300", "inf"]


def test_an_empty_name_of_a_queue_or_a_job_is_refused(clock: Clock, redis: Redis) -> None:
    with pytest.raises(ClockError, match="the name of the queue is empty"):
        clock("queue", "pause", "")
    assert redis.dbsize() == 0
    refused = clock("cancel", "x", "")
    assert (refused.exit_code, "a jid is empty" in refused.output) == (2, True)


@pytest.mark.usefixtures("retries")
def test_a_selection_that_matches_no_job_is_told_with_the_classes_that_are_there(clock: Clock) -> None:
    killed = clock("retry", "kill", "--class", "NoSuchThing", "--yes").output.splitlines()

    assert killed[0].startswith("No job of 'retry' matches; it has ")
    assert "SendMail" in killed[0]
    assert killed[1] == "Moved to dead: 0"
    assert "No job of 'dead' matches; it is empty" in clock("dead", "delete", "--class", "*", "--yes").output


def test_a_job_is_cancelled_by_its_id_and_an_unknown_id_is_named(clock: Clock, redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("a"), payload("b"))

    text = clock("cancel", "a", "gone")
    found = clock("cancel", "b", "--json")

    assert text.output == "a: cancelled\ngone: not found: it is done, or its id is wrong\n"
    assert clock("cancel", "gone").output == "gone: not found: it is done, or its id is wrong\n"
    assert json.loads(found.output) == [{"jid": "b", "cancelled": True}]
    assert (text.exit_code, found.exit_code, redis.llen("queue:default")) == (1, 0, 0)


def test_the_jobs_of_each_key_of_encryption_are_counted(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, older, lost = (clock("encryption", "new").output.strip() for _ in range(3))
    for key in (lost, older):
        monkeypatch.setenv("CLOCK_ENCRYPTION_KEYS", key)
        HideSecretJob.perform_async({"pin": "4711"})
    monkeypatch.setenv("CLOCK_ENCRYPTION_KEYS", f"{newest},{older}")

    rows = json.loads(clock("encryption", "keys", "--json").output)
    text = clock("encryption", "keys").output

    assert [(row["role"], row["jobs"]) for row in rows] == [
        ("encrypts and decrypts", 0),
        ("decrypts", 1),
        ("missing here", 1),
    ]
    assert [line.split()[-1] for line in text.splitlines()] == ["jobs", "0", "1", "1"]
    assert not {newest, older, lost} & {*text.split()}


@pytest.mark.usefixtures("retries")
def test_a_question_on_a_terminal_that_ctrl_c_interrupts_ends_the_command(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> bool:
        raise click.Abort

    monkeypatch.setattr(click, "confirm", interrupted)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.argv", ["clock", "retry", "clear"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert capsys.readouterr().err == "clock: stopped\n"
    assert redis.zcard("retry") == 3
