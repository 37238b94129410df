import json
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import jsonschema
import pytest
import yaml

from clock.cli.commands.setup.config import json_schema
from clock.config import Config, gather, load_config
from clock.errors import ConfigurationError


class Write(Protocol):
    """Writes a settings file."""

    def __call__(self, text: str, name: str = ...) -> Path: ...


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the settings file of an otherwise empty application; its path."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()

    def write_text(text: str, name: str = "config/clock.yml") -> Path:
        Path(name).write_text(text)
        return Path(name)

    return write_text


def config(environ: dict[str, str] | None = None, **options: object) -> Config:
    return load_config(options, environ=environ or {})


def refused(environ: dict[str, str] | None = None, **options: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config(environ, **options)
    return str(caught.value)


def test_an_option_goes_before_the_environment_before_the_file_before_the_default(write: Write) -> None:
    write("concurrency: 1\nstop_timeout: 2\nlog_level: error\n")

    found = config({"CLOCK_CONCURRENCY": "3", "CLOCK_LOG_LEVEL": "warning"}, log_level="debug")

    assert (found.concurrency, found.stop_timeout, found.log_level) == (3, 2.0, "debug")
    assert found.log_format == "text"


def test_every_value_tells_where_it_came_from(write: Write) -> None:
    write("\nconcurrency: 1\nproduction:\n  stop_timeout: 2\n")

    environ = {"CLOCK_LOG_LEVEL": "error", "CLOCK_ENV": "production"}
    sources = {item.name: item.source for item in gather({"redis": "redis://x"}, environ=environ)}

    assert sources["concurrency"] == "config/clock.yml:2"
    assert sources["stop_timeout"] == "config/clock.yml:4"
    assert sources["log_level"] == "the environment variable CLOCK_LOG_LEVEL"
    assert sources["redis"] == "the option --redis"
    assert sources["require"] == "default"


def test_errors_of_a_connection_can_say_where_its_url_was_given(write: Write) -> None:
    assert config().redis_source == "REDIS_URL"

    write("redis: redis://x\n")

    assert config().redis_source == "config/clock.yml:1"
    assert config({"REDIS_URL": "redis://y"}).redis_source == "REDIS_URL"
    assert config(redis="redis://z").redis_source == "the option --redis"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, 2),
        ({"CLOCK_ENV": "production"}, 25),
        ({"CLOCK_ENV": "staging"}, 5),
        ({"RAILS_ENV": "production"}, 25),
        ({"CLOCK_ENV": "production", "RAILS_ENV": "development"}, 25),
    ],
)
def test_the_section_of_the_environment_goes_before_the_rest(
    write: Write, environ: dict[str, str], expected: int
) -> None:
    write("production:\n  concurrency: 25\nconcurrency: 5\ndevelopment:\n  concurrency: 2\n")

    assert config(environ).concurrency == expected


@pytest.mark.parametrize(
    ("value", "environ", "expected"),
    [
        ("${REDIS_TLS_URL}", {"REDIS_TLS_URL": "rediss://a"}, "rediss://a"),
        ("${REDIS_TLS_URL:-redis://b:6379/0}", {}, "redis://b:6379/0"),
        ("${REDIS_TLS_URL:-redis://b}", {"REDIS_TLS_URL": ""}, "redis://b"),
        ("redis://${HOST:-c}:${PORT:-6379}", {"PORT": "7000"}, "redis://c:7000"),
        ("redis://:$${x}@d", {}, "redis://:${x}@d"),
        ("redis://:pa$s@d", {}, "redis://:pa$s@d"),
    ],
)
def test_variables_of_the_environment_stand_in_values(
    write: Write, value: str, environ: dict[str, str], expected: str
) -> None:
    write(f"redis: {value}\n")

    assert config(environ).redis == expected


def test_a_variable_may_hold_a_number_or_a_name_in_a_list(write: Write) -> None:
    write('concurrency: ${THREADS:-7}\nqueues: ["${FIRST}", low]\n')

    found = config({"FIRST": "urgent"})

    assert found.concurrency == 7
    assert found.queues == (("urgent", 0), ("low", 0))


def test_a_variable_that_is_missing_is_named_with_its_line(write: Write) -> None:
    write("concurrency: 1\nredis: ${CACHE_URL}\n")

    assert refused() == (
        "config/clock.yml:2: the environment variable CACHE_URL is not set; "
        "set it, or give a default: ${CACHE_URL:-...}"
    )


def test_a_section_may_say_otherwise_than_what_it_merges(write: Write) -> None:
    write(
        "defaults: &defaults\n  concurrency: 5\n  heartbeat: 3\nproduction:\n  <<: *defaults\n  concurrency: 7\n"
    )

    found = config({"CLOCK_ENV": "production"})

    assert (found.concurrency, found.heartbeat) == (7, 3)


def test_a_template_at_the_top_of_the_file_is_neither_a_setting_nor_a_section(write: Write) -> None:
    write("x-mail: &mail {job: SendMailJob}\n.few: &few {concurrency: 2}\nproduction: {<<: *few}\n")

    assert config({"CLOCK_ENV": "production"}).concurrency == 2


def test_a_variable_missing_in_another_environments_section_does_no_harm(write: Write) -> None:
    write("production:\n  redis: ${CACHE_URL}\n")

    assert config().redis is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concurency: 5", "config/clock.yml:1: unknown setting 'concurency'; did you mean 'concurrency'?"),
        ("production:\n  concurency: 5", "config/clock.yml:2: unknown setting 'concurency'; did you mean"),
        ("xyzzy: 5", "config/clock.yml:1: unknown setting 'xyzzy'; available: redis, "),
        ("timeout: 8", "config/clock.yml:1: unknown setting 'timeout'"),  # Sidekiq's name
        ("quues:\n  a: 1", "config/clock.yml:1: unknown setting 'quues'; did you mean 'queues'?"),
        ("queues: []", "config/clock.yml:1: queues is []; it must be a list"),
        ("queues: {a: 1}", "config/clock.yml:1: queues is {'a': 1}; it must be a list"),
        (
            "log_level: info\nconcurrency: many",
            "config/clock.yml:2: concurrency is 'many'; it must be a whole number",
        ),
        ("health_port: 70000", "health_port is 70000; it must be a port, from 1 to 65535"),
        ("redis: foo", "config/clock.yml:1: redis is not a URL; it must be a URL"),
        ("redis: 5", "config/clock.yml:1: redis is not a URL; it must be a URL"),
        ("concurrency: 1\nconcurrency: 2", "config/clock.yml:2: 'concurrency' is already defined in line 1"),
        ("concurrency: <%= 5 %>", "config/clock.yml:1: <% is ERB, which only Ruby runs; write ${NAME:-default}"),
        ("a: [", "config/clock.yml:2: not valid YAML: "),
        ("- 1", "config/clock.yml: expected settings, such as `concurrency: 10`, not [1]"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line(write: Write, text: str, message: str) -> None:
    write(text + "\n")

    assert message in refused()


def test_a_wrong_variable_is_named(write: Write) -> None:
    assert refused({"CLOCK_CONCURRENCY": "0"}) == (
        "the environment variable CLOCK_CONCURRENCY: concurrency is '0'; "
        "it must be a whole number from 1 to 10,000"
    )


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB + "queues: *h\n", ":6: its aliases (*) expand to over 300,000 values"),
        (
            "queues: &a [*a]\n",
            ":1: nested more than 50 levels deep, by an alias (*) to the value that contains it",
        ),
        (
            "queues: &a\n  b: *a\n",
            ":2: nested more than 50 levels deep, by an alias (*) to the value that contains it",
        ),
        ("queues: " + "[" * 20_000, ":1: not valid YAML: nested more than 50 levels deep"),
        (
            "".join(" " * n + f"k{n}:\n" for n in range(300)),
            ":50: not valid YAML: nested more than 50 levels deep",
        ),
        ("a: 1\nconcurrency: " + "9" * 5_000, f":2: not valid YAML: '{'9' * 39} cannot be read as int"),
        ("a: 1\nconcurrency: 2026-13-45", ":2: not valid YAML: '2026-13-45' cannot be read as timestamp"),
        ("concurrency: " + "9" * 4_000, f":1: concurrency is {'9' * 100}; it must be a whole number"),
        ("queues: {" + ",".join(f"k{n}: x" for n in range(300)) + "}", ":1: queues is {'k0': 'x', 'k1'"),
        ("k" * 1_000 + ": 1\n", ":1: unknown setting 'kkkkkk"),
        ("# " + "x" * 10_000_001, ": more than 10,000,000 characters are too many for a settings file"),
        ("<<: [1, 2]\n", ":1: << merges mappings, as in `<<: *defaults`, not 1"),
        ("a: 1\nqueues: !!map [1]\n", ":2: not valid YAML: expected a mapping node, but found sequence"),
    ],
    ids=[
        "bomb",
        "list",
        "mapping",
        "deep",
        "blocks",
        "digits",
        "month",
        "large",
        "value",
        "key",
        "file",
        "merge",
        "tag",
    ],
)
def test_a_file_made_to_harm_is_refused_at_once_in_a_short_line(write: Write, text: str, told: str) -> None:
    write(text)

    error = refused()

    assert error.startswith(f"config/clock.yml{told}")
    assert len(error) < 1_000
    assert "\n" not in error


def test_hundreds_of_events_with_templates_are_no_harm(write: Write) -> None:
    events = "".join(f"  e{n}: {{<<: *d, every: {n + 60}}}\n" for n in range(300))
    write(f"schedule:\n  .d: &d {{job: SendJob, queue: low}}\n{events}")

    assert len(config().schedule) == 300


def test_yaml_cannot_make_objects(write: Write) -> None:
    write("redis: !!python/object/apply:os.system ['echo']\n")

    assert "not valid YAML" in refused()


SIDEKIQ = """
---
:verbose: false
:concurrency: 10
:timeout: 30
:pidfile: tmp/pids/sidekiq.pid
:require: ./config/environment.rb
:max_retries: 3
:queues:
  - critical
  - [default, 2]
  - :low
:scheduler:
  :listened_queues_only: true
production:
  :concurrency: 25
:staging:
  :verbose: true
"""


def test_a_sidekiq_yml_is_read_as_it_stands(write: Write) -> None:
    write(SIDEKIQ, "config/sidekiq.yml")

    found = config()

    assert (found.concurrency, found.stop_timeout, found.log_level) == (10, 30.0, "info")
    assert found.queues == (("critical", 0), ("default", 2), ("low", 0))
    assert found.require == (Path("jobs"),)


def test_what_a_sidekiq_yml_says_of_retries_dead_jobs_and_capsules_counts(write: Write) -> None:
    write(
        ":max_retries: 7\n:dead_max_jobs: 500\n:dead_timeout_in_seconds: 3600\n"
        ":capsules:\n  :single:\n    :concurrency: 1\n    :queues: [serial, [bulk, 2]]\n"
        "  mail:\n    queues: [mail]\n",
        "config/sidekiq.yml",
    )

    found = config()

    assert (found.max_retries, found.dead_max_jobs, found.dead_timeout) == (7, 500, 3600.0)
    assert [str(capsule) for capsule in found.capsules] == ["single (serial, bulk, 1 at once)", "mail (mail)"]
    assert found.capsules[0].queues == (("serial", 0), ("bulk", 2))


@pytest.mark.parametrize(
    "capsules", ["[serial]", "{single: [serial]}", "{single: {queues: []}}", "{single: {queues: [a], threads: 1}}",
                 "{single: {queues: [a], concurrency: 0}}", "{default: {queues: [a]}}"],
)  # fmt: skip
def test_a_capsule_that_cannot_be_worked_is_refused(write: Write, capsules: str) -> None:
    write(f"capsules: {capsules}\n", "config/clock.yml")

    assert "config/clock.yml:1" in refused()
    assert "it must be a mapping: {single: {concurrency: 1, queues: [serial]}}" in refused()


@pytest.mark.parametrize(("name", "bad"), [("max_retries", -1), ("dead_max_jobs", "many"), ("dead_timeout", 0)])
def test_limits_that_cannot_be_are_refused(write: Write, name: str, bad: object) -> None:
    write(f"{name}: {bad}\n", "config/clock.yml")

    assert f"config/clock.yml:1: {name} is {bad!r}" in refused()


def test_the_environments_of_a_sidekiq_yml_count(write: Write) -> None:
    write(SIDEKIQ, "config/sidekiq.yml")

    assert config({"RAILS_ENV": "production"}).concurrency == 25
    assert config({"RAILS_ENV": "staging"}).log_level == "debug"


def test_a_misspelt_key_of_a_sidekiq_yml_is_refused(write: Write) -> None:
    write(":concurency: 5\n", "config/sidekiq.yml")

    assert refused() == "config/sidekiq.yml:1: unknown setting 'concurency'; did you mean 'concurrency'?"


def test_a_setting_under_both_of_its_names_is_refused_with_both_lines(write: Write) -> None:
    write(":timeout: 8\n:concurrency: 5\n:stop_timeout: 9\n", "config/sidekiq.yml")

    assert refused() == "config/sidekiq.yml:3: sets stop_timeout, which config/sidekiq.yml:1 sets too; remove one"


def test_a_section_may_set_what_the_file_sets_by_its_other_name(write: Write) -> None:
    write(":timeout: 8\nproduction:\n  :stop_timeout: 9\n", "config/sidekiq.yml")

    assert config({"RAILS_ENV": "production"}).stop_timeout == 9
    assert config().stop_timeout == 8


def test_a_clock_yml_goes_before_a_sidekiq_yml(write: Write) -> None:
    write(":concurrency: 1\n", "config/sidekiq.yml")
    write("concurrency: 2\n")

    assert config().concurrency == 2


def test_the_schema_accepts_what_is_read_and_refuses_what_is_not(repository: Path) -> None:
    schema = json_schema()

    jsonschema.validate(yaml.safe_load((repository / "config/clock.yml").read_text()), schema)
    jsonschema.validate({"production": {"queues": [["a", 4], "b"], "concurrency": "${N:-3}"}}, schema)
    bads: list[object] = [
        {"concurency": 3},
        {"concurrency": 0},
        {"production": {"log_level": "loud"}},
        {"queues": []},
    ]
    for bad in bads:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


def test_the_schema_in_the_docs_is_the_present_one(repository: Path) -> None:
    assert json.loads((repository / "docs/clock.schema.json").read_text()) == json.loads(json.dumps(json_schema()))
