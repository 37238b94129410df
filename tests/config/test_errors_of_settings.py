"""Settings of the application and of single processes, and values that are refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clock.config import add_to_application, found_of_process, load_config, refuse_application, use_application
from clock.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty application; settings that a test sets for it are forgotten."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    yield tmp_path
    use_application({}, "the test")


def test_a_single_setting_comes_from_the_first_place_that_names_it(folder: Path) -> None:
    file = folder / "config/clock.yml"
    assert found_of_process("push_timeout", {}).value == 5

    file.write_text("concurrency: 3\n")
    assert found_of_process("push_timeout", {}).value == 5
    file.write_text("# push_timeout: 9\nconcurrency: 3\n")
    assert found_of_process("push_timeout", {}).value == 5
    file.write_text("push_timeout: 7\n")
    assert found_of_process("push_timeout", {}).value == 7
    use_application({"push_timeout": 8}, "settings.CLOCK")
    assert found_of_process("push_timeout", {}).value == 8
    assert found_of_process("push_timeout", {"CLOCK_PUSH_TIMEOUT": "9"}).value == 9


def test_an_invalid_single_setting_names_its_place(folder: Path) -> None:
    (folder / "config/clock.yml").write_text("concurrency: 1\npush_timeout: soon\n")

    with pytest.raises(ConfigurationError, match=r"clock\.yml:2: .*'soon'"):
        found_of_process("push_timeout", {})
    with pytest.raises(ConfigurationError, match=r"the environment variable CLOCK_PUSH_TIMEOUT: .*'later'"):
        found_of_process("push_timeout", {"CLOCK_PUSH_TIMEOUT": "later"})


def test_an_application_may_have_no_folder_of_jobs(folder: Path) -> None:
    assert load_config({}, environ={}).require == (Path("jobs"),)

    use_application({"require": ()}, "settings.CLOCK")

    assert load_config({}, environ={}).require == ()


def test_an_invalid_setting_of_the_application_names_it_and_changes_nothing(folder: Path) -> None:
    use_application({"concurrency": 4}, "settings.CLOCK")

    with pytest.raises(ConfigurationError, match=r"settings\.CLOCK: .*-1"):
        use_application({"concurrency": -1}, "settings.CLOCK")

    assert load_config({}, environ={}).concurrency == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([("redis", "redis://a")], "settings.CLOCK is .*; it must be a dict"),
        ({"reddis": "redis://a"}, "settings.CLOCK: unknown setting 'reddis'; did you mean 'redis'?"),
        ({"CONCURRENCY": 3}, "unknown setting 'CONCURRENCY'; did you mean 'concurrency'?"),
        ({7: 3}, "unknown setting 7; available: redis, "),
        ({"redis": "localhost:6379"}, "redis is not a URL"),
    ],
)
def test_settings_of_an_application_are_refused_by_name(folder: Path, given: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        use_application(given, "settings.CLOCK")


def test_a_setting_of_none_is_not_given(folder: Path) -> None:
    (folder / "config/clock.yml").write_text("redis: redis://of-the-file\n")

    use_application({"redis": None, "concurrency": None}, "settings.CLOCK")

    assert load_config({}, environ={}).concurrency == 10
    assert found_of_process("redis", {}).value == "redis://of-the-file"


def test_a_refused_application_has_no_settings_until_they_are_right(folder: Path) -> None:
    refuse_application(ConfigurationError("settings.CLOCK: unknown setting 'reddis'"))

    with pytest.raises(ConfigurationError, match="'reddis'"):
        found_of_process("redis", {"REDIS_URL": "redis://a"})
    with pytest.raises(ConfigurationError, match="'reddis'"):
        load_config({}, environ={})
    use_application({"redis": "redis://b"}, "settings.CLOCK")
    assert found_of_process("redis", {}).value == "redis://b"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URLS", "redis://a"),  # one server is no shard
        ("REDIS_URLS", "redis://a, redis://a"),
        ("REDIS_URLS", "redis://a b"),
        ("CLOCK_NAMESPACE", "{shop}"),
        ("CLOCK_NAMESPACE", "a b"),
        ("CLOCK_NAMESPACE", "a" * 61),
        ("CLOCK_LOG_LEVEL", "loud"),
        ("CLOCK_LOG_FORMAT", "xml"),
    ],
)
def test_an_invalid_value_of_a_variable_is_refused_by_its_name(folder: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the environment variable {variable}: "):
        load_config({}, environ={variable: value})


def test_an_event_that_is_defined_twice_is_refused_with_both_lines(folder: Path) -> None:
    event = "    cron: '* * * * *'\n    class: A\n"
    file = folder / "config/clock.yml"
    file.write_text(f":schedule:\n  nightly:\n{event}  other:\n{event}  nightly:\n{event}")

    with pytest.raises(ConfigurationError, match=r"clock\.yml:8: 'nightly' .* line 2"):
        load_config({}, environ={}, file=file)


def test_a_list_that_names_an_event_twice_is_refused_with_both_lines(folder: Path) -> None:
    event = "- name: nightly\n  cron: '* * * * *'\n  class: A\n"
    file = folder / "config/clock.yml"
    file.write_text(f"schedule:\n{event}{event}")

    with pytest.raises(ConfigurationError, match=r"clock\.yml:5: 'nightly' is already defined in line 2"):
        load_config({}, environ={}, file=file)


@pytest.mark.parametrize(
    "line", ["require: []", "queues: [[mail, -1]]", "queues: [[7, 1]]", "queues: [[mail, true]]", "queues: []"]
)
def test_a_list_with_an_invalid_item_is_refused_with_its_line(folder: Path, line: str) -> None:
    (folder / "config/clock.yml").write_text(f"concurrency: 1\n{line}\n")

    with pytest.raises(ConfigurationError, match=rf"clock\.yml:2: {line.partition(':')[0]} is "):
        load_config({}, environ={})


def test_the_first_server_of_the_shards_is_the_home(folder: Path) -> None:
    config = load_config({}, environ={"REDIS_URLS": "redis://a:1, redis://b:2", "CLOCK_NAMESPACE": "shop"})

    assert (config.redis, config.redis_source) == ("redis://a:1", "REDIS_URLS")
    assert config.redis_urls == ("redis://a:1", "redis://b:2")
    assert config.namespace == "shop"


def test_events_of_a_schedule_file_need_no_settings_file(folder: Path) -> None:
    (folder / "events.yml").write_text("nightly:\n  cron: '* * * * *'\n  class: A\n")

    config = load_config({"schedule_file": "events.yml", "concurrency": None, "require": ()}, environ={})

    assert [event.name for event in config.schedule] == ["nightly"]
    assert (config.concurrency, config.require) == (10, (Path("jobs"),))


def test_one_more_setting_of_an_application_leaves_the_others(folder: Path) -> None:
    use_application({"concurrency": 4}, "settings.CLOCK")

    add_to_application("namespace", "shop", "settings.SITE")

    assert (load_config({}, environ={}).concurrency, found_of_process("namespace", {}).value) == (4, "shop")
