"""`encrypt = True`: what Redis, listings and errors hold, and who can read it."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock import Job, Unique
from clock.errors import (
    ArgumentsError,
    ConfigurationError,
    DeclarationError,
    EncryptionKeyMissing,
    JobError,
    UndecryptableArgument,
)
from clock.inspection.jobs.busy import all_jobs
from clock.inspection.jobs.pages import queue_place
from clock.job import encryption
from clock.job.encryption import VARIABLE, decrypted_args, key_id_of, key_ids, new_key
from clock.store.ledger import held_pushes
from clock.testing import fake, inline, world
from clock.timetable import load
from tests.job.redis_rows import delayed, waiting

SECRET: dict[str, object] = {"ssn": "078-05-1120", "ünïcode": [1, 2**70, None]}
seen: list[tuple[int, object]] = []


class OpenAccountJob(Job):
    encrypt = True

    def perform(self, user: int, secret: dict[str, object]) -> None:
        seen.append((user, secret))


class CloseAccountJob(Job):
    def perform(self, user: int, secret: dict[str, object]) -> None:
        seen.append((user, secret))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    seen.clear()
    key = new_key()
    monkeypatch.setenv(VARIABLE, key)
    return key


def pushed(redis: Redis) -> dict[str, Any]:
    return waiting(redis, "default")[-1]


def test_redis_holds_one_string_with_the_version_and_the_id_of_the_key(redis: Redis) -> None:
    OpenAccountJob.perform_async(7, SECRET)

    payload = pushed(redis)
    user, text = payload["args"]
    assert user == 7
    assert text.startswith(f"v1:{key_ids()[0]}:")
    assert b"078-05" not in base64.b64decode(text.split(":")[2])
    assert payload["encrypt"] is True  # Sidekiq's page hides the argument by this field
    assert decrypted_args(payload) == [7, SECRET]


def test_each_way_to_push_encrypts(redis: Redis) -> None:
    OpenAccountJob.perform_bulk([[1, SECRET], [2, SECRET]])
    OpenAccountJob.perform_in(60, 3, SECRET)
    CloseAccountJob.set(encrypt=True).perform_async(4, SECRET)
    with held_pushes.holding("nightly", 1_000, None) as held:
        OpenAccountJob.set().prepared_push().push([5, SECRET])

    payloads = [*waiting(redis, "default"), delayed(redis)[0][0], json.loads(held.pushes[0].payload)]
    assert len(payloads) == 5
    assert all(decrypted_args(payload) == [payload["args"][0], SECRET] for payload in payloads)
    assert not any("078-05" in str(payload) for payload in payloads)


@pytest.mark.parametrize("unique", [True, Unique(by="secret"), Unique(by=["user", "secret"])])
def test_no_lock_holds_a_hash_of_the_encrypted_argument(redis: Redis, unique: bool | Unique) -> None:
    with pytest.raises(JobError, match="'secret' is encrypted, and the key of the lock would be a hash of it"):
        OpenAccountJob.set(unique=unique).perform_async(7, SECRET)
    assert waiting(redis) == []

    OpenAccountJob.set(unique=Unique(by="user")).perform_async(7, SECRET)
    assert len(waiting(redis)) == 1


def test_a_ciphertext_moved_to_another_job_cannot_be_read_there(redis: Redis) -> None:
    OpenAccountJob.perform_async(7, SECRET)
    payload = pushed(redis)

    for field in ("jid", "class"):
        with pytest.raises(UndecryptableArgument):
            decrypted_args({**payload, field: "another"})


def test_a_changed_ciphertext_cannot_be_read(redis: Redis) -> None:
    OpenAccountJob.perform_async(7, SECRET)
    payload = pushed(redis)
    [user, text] = payload["args"]

    for changed in (
        text[:-8],
        text[:20] + "AAAA" + text[24:],
        "v9" + text[2:],
        "hello",
        f"v1:{key_ids()[0]}:",
        text + "é",
    ):
        with pytest.raises(UndecryptableArgument):
            decrypted_args({**payload, "args": [user, changed]})


def test_the_newest_key_encrypts_and_the_older_ones_still_decrypt(
    redis: Redis, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    OpenAccountJob.perform_async(7, SECRET)
    old = pushed(redis)
    monkeypatch.setenv(VARIABLE, f" {new_key()} , {key}")

    OpenAccountJob.perform_async(8, SECRET)

    new_id, old_id = key_ids()
    assert decrypted_args(old) == [7, SECRET]
    assert decrypted_args(pushed(redis)) == [8, SECRET]
    assert [key_id_of(job.payload) for job in all_jobs(redis)] == [old_id, new_id]


def test_without_a_key_the_push_fails_and_pushes_nothing(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)

    with pytest.raises(EncryptionKeyMissing, match="OpenAccountJob: no encryption key; make one with"):
        OpenAccountJob.perform_async(7, SECRET)
    assert redis.keys() == []


def test_without_the_package_the_push_names_how_to_install_it(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    encryption._is_installed.cache_clear()

    try:
        with pytest.raises(ConfigurationError, match=r"need a package; .* pip install 'clockd\[crypto\]'"):
            OpenAccountJob.perform_async(7, SECRET)
    finally:
        encryption._is_installed.cache_clear()

    assert redis.keys() == []


@pytest.mark.parametrize("keys", ["short", "a" * 44, base64.b64encode(b"x" * 31).decode(), "ü"])
def test_an_invalid_key_is_named_by_its_place_and_not_shown(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv(VARIABLE, f"{new_key()},{keys}")

    with pytest.raises(ConfigurationError, match="CLOCK_ENCRYPTION_KEYS: key 2 is invalid") as caught:
        OpenAccountJob.perform_async(7, SECRET)
    assert keys not in str(caught.value)


@pytest.mark.parametrize("args", [[7, "x"], [7, [1]], [7, None]])
def test_only_a_dict_is_encrypted(redis: Redis, args: list[object]) -> None:
    job: Any = OpenAccountJob
    for push in (job.perform_async, job.perform_inline, job.check_arguments):
        with pytest.raises(ArgumentsError, match=r"which is a (str|list|NoneType); pass a dict"):
            push(*args)
    with pytest.raises(ArgumentsError, match="pass a dict"):
        OpenAccountJob.perform_bulk([args])
    assert redis.keys() == []


@pytest.mark.parametrize("args", [[7, {"ssn": object()}], [7, {"a": 1}, {"ssn": "hush"}], [{"ssn": "hush"}]])
def test_an_error_about_the_arguments_shows_no_value(redis: Redis, args: list[object]) -> None:
    push: Any = OpenAccountJob.perform_async

    with pytest.raises(ArgumentsError, match="an encrypted job's values are not shown") as caught:
        push(*args)
    assert "hush" not in str(caught.value)
    with pytest.raises(ArgumentsError, match="values are not shown"):
        OpenAccountJob.perform_bulk([args])


def test_listings_show_that_it_is_encrypted(redis: Redis) -> None:
    OpenAccountJob.perform_async(7, SECRET)

    [job] = queue_place(redis, "default").jobs()
    assert job.args == [7, "[encrypted]"]


def test_tests_need_no_key_and_see_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)

    with fake():
        OpenAccountJob.perform_async(7, SECRET)
        assert OpenAccountJob.jobs[0]["args"] == [7, SECRET]
        OpenAccountJob.drain()
    with inline():
        OpenAccountJob.perform_async(8, SECRET)
    OpenAccountJob.perform_inline(9, SECRET)

    assert seen == [(7, SECRET), (8, SECRET), (9, SECRET)]
    with pytest.raises(EncryptionKeyMissing):
        OpenAccountJob.perform_async(7, SECRET)


def test_a_world_runs_encrypted_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)

    with world("2026-03-02 09:00") as w:
        w.at("2026-03-02 09:01", lambda: OpenAccountJob.perform_async(7, SECRET))
        w.run(minutes=2)
        w.at("2026-03-02 09:03", lambda: OpenAccountJob.perform_in(60, 8, SECRET))
        w.run(minutes=1)
        w.run(minutes=5)

    assert seen == [(7, SECRET), (8, SECRET)]


def test_an_event_with_a_wrong_secret_fails_when_the_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "from clock import every\nfrom clock.job.registry import lookup\n"
        "every().hour.do(lookup('CloseAccountJob').set(encrypt=True), 7, 8)\n"
    )

    with pytest.raises(DeclarationError, match=r"clock.py:3: .*pass a dict"):
        load(file)
