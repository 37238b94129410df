from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from clock.config import Declared, load_config
from clock.errors import ConfigurationError

Read = Callable[..., tuple[Declared, ...]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The events of a settings file, `clock.yml` if not named otherwise, and of a `schedule.yml` if given."""
    monkeypatch.chdir(tmp_path)

    def read_files(
        text: str, *, name: str = "clock.yml", schedule: str | None = None, **environ: str
    ) -> tuple[Declared, ...]:
        (tmp_path / name).write_text(text)
        if schedule is not None:
            (tmp_path / "schedule.yml").write_text(schedule)
            environ["CLOCK_SCHEDULE_FILE"] = "schedule.yml"
        return load_config({}, environ=environ, file=Path(name)).schedule

    return read_files


def test_events_stand_under_schedule_by_name_with_their_lines(read: Read) -> None:
    assert read(
        """
concurrency: 5
schedule:
  nightly:
    cron: "0 2 * * *"
    job: BackUpJob
    args: ["${BUCKET:-local}", 2]

  feeds: {every: 10 minutes, job: RefreshFeedsJob}
""",
        BUCKET="far",
    ) == (
        Declared("nightly", {"cron": "0 2 * * *", "job": "BackUpJob", "args": ["far", 2]}, "clock.yml:4"),
        Declared("feeds", {"every": "10 minutes", "job": "RefreshFeedsJob"}, "clock.yml:9"),
    )


def test_a_time_of_day_needs_no_quotes(read: Read) -> None:
    [event] = read("schedule:\n  a: {every: day, at: [16:20, 06:00, 1:30:15], args: [980, 0x10, 017, -5]}\n")

    assert event.values["at"] == ["16:20", "06:00", "1:30:15"]
    assert event.values["args"] == [980, 16, 15, -5]


def test_the_events_of_the_environments_section_go_before(read: Read) -> None:
    text = """
schedule:
  a: {every: 1h, job: A}
  b: {every: 1h, job: B}
production:
  concurrency: 9
  schedule:
    b: {every: 5m, job: B}
    c: {every: 1h, job: C}
"""

    assert [(event.name, event.where) for event in read(text)] == [("a", "clock.yml:3"), ("b", "clock.yml:4")]
    assert [(event.name, event.where) for event in read(text, CLOCK_ENV="production")] == [
        ("a", "clock.yml:3"),
        ("b", "clock.yml:8"),
        ("c", "clock.yml:9"),
    ]


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        ("first:\n  cron: '*/5 * * * *'\n  class: HardJob\n", 1),
        ("- name: first\n  cron: '*/5 * * * *'\n  class: HardJob\n", 1),
        (":schedule:\n  first:\n    :cron: '*/5 * * * *'\n    :class: HardJob\n", 2),
        (":concurrency: 5\n:scheduler:\n  :schedule:\n    first: {cron: '*/5 * * * *', class: HardJob}\n", 4),
        ("base: &base\n  class: HardJob\nschedule:\n  first:\n    <<: *base\n    cron: '*/5 * * * *'\n", 4),
    ],
)
def test_the_shapes_of_rubys_files_are_read(read: Read, schedule: str, line: int) -> None:
    assert read("", schedule=schedule) == (
        Declared("first", {"cron": "*/5 * * * *", "class": "HardJob"}, f"schedule.yml:{line}", is_rubys=True),
    )


@pytest.mark.parametrize(
    "template",
    [
        ".usual: &usual {class: HardJob}",
        "x-usual: &usual {cron: '@daily', class: OtherJob}",
        "usual: &usual {class: HardJob, queue: low}",
        "usual: &usual",
    ],
)
def test_templates_are_no_events(read: Read, template: str) -> None:
    [event] = read("", schedule=f"{template}\nfirst:\n  <<: *usual\n  cron: '0 6 * * *'\n  class: HardJob\n")

    assert event.name == "first"
    assert (event.values["cron"], event.values["class"]) == ("0 6 * * *", "HardJob")


def test_an_event_without_a_schedule_that_nothing_merges_is_left_to_be_refused(read: Read) -> None:
    [event] = read("", schedule="forgotten: {class: HardJob}\n")

    assert event.name == "forgotten"


SECTIONS = """
usual: {cron: '0 6 * * *', class: HardJob}
production:
  usual: {cron: '0 7 * * *', class: HardJob}
  nightly: {cron: '0 2 * * *', class: HardJob}
staging:
  nightly: {cron: '0 3 * * *', class: HardJob}
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("production", {"usual": "0 7 * * *", "nightly": "0 2 * * *"}),
        ("staging", {"usual": "0 6 * * *", "nightly": "0 3 * * *"}),
        ("development", {"usual": "0 6 * * *"}),
    ],
)
def test_a_schedule_file_may_have_sections_for_environments(
    read: Read, environment: str, expected: dict[str, str]
) -> None:
    events = read("", schedule=SECTIONS, CLOCK_ENV=environment)

    assert {event.name: event.values["cron"] for event in events} == expected


@pytest.mark.parametrize(("environment", "count"), [("production", 1), ("staging", 1), ("development", 0)])
def test_an_event_may_name_its_environments(read: Read, environment: str, count: int) -> None:
    for given in ("'production, staging'", "[production, staging]", "[':production', 'staging']"):
        schedule = f"a: {{cron: '0 6 * * *', class: HardJob, rails_env: {given}}}\n"

        assert len(read("", schedule=schedule, CLOCK_ENV=environment)) == count


def test_fugits_rules_are_for_events_that_are_written_for_ruby(read: Read) -> None:
    schedule = "a: {cron: '@daily', class: A}\nb: {cron: '@daily', job: B}\nCJob: {cron: '@daily'}\n"

    assert [event.is_rubys for event in read("", schedule=schedule)] == [True, False, True]
    assert [event.is_rubys for event in read("schedule: {a: {cron: '@daily', job: A}}")] == [False]


def test_an_event_may_say_otherwise_than_what_it_merges(read: Read) -> None:
    first = "a: &a {cron: '0 6 * * *', class: HardJob}\n"

    [_, event] = read("", schedule=first + "b:\n  <<: *a\n  cron: '0 7 * * *'\n")

    assert event.values == {"cron": "0 7 * * *", "class": "HardJob"}


def test_a_schedule_may_say_otherwise_than_what_it_merges(read: Read) -> None:
    usual = "usual: &usual\n  a: {cron: '0 6 * * *', class: HardJob}\n"

    [event] = read("", schedule=usual + "schedule:\n  <<: *usual\n  a: {cron: '0 7 * * *', class: HardJob}\n")

    assert (event.values["cron"], event.where) == ("0 7 * * *", "schedule.yml:5")


@pytest.mark.parametrize("name", ["sidekiq.yml", "clock.yml"])
def test_the_schedule_of_a_sidekiq_yml_that_is_read_for_its_settings_is_left_to_ruby(
    read: Read, name: str
) -> None:
    assert read(":concurrency: 5\n:schedule:\n  first: {cron: '* * * * *', class: HardJob}\n", name=name) == ()


def test_the_schedule_of_a_sidekiq_yml_without_symbols_is_left_to_ruby(read: Read) -> None:
    assert (
        read("concurrency: 5\nschedule:\n  first: {cron: '* * * * *', class: HardJob}\n", name="sidekiq.yml") == ()
    )


def test_nothing_declared_is_nothing(read: Read) -> None:
    assert read("") == read("schedule:\n") == read("", schedule="") == ()


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("a: 5\n", "schedule.yml:1: 'a': expected the fields of an event, such as `cron: '0 6 * * *'`"),
        ("a: {every: 1h}\na: {every: 2h}\n", "schedule.yml:2: 'a' is already defined in line 1"),
        ("a:\n  cron: '0 6 * * *'\n  cron: '0 7 * * *'\n", "schedule.yml:3: 'cron' is already defined in line 2"),
        (
            "a:\n  cron: 0 6 * * *\n  :cron: 0 7 * * *\n",
            "schedule.yml:3: ':cron' is already defined in line 2",
        ),
        ("a:\n  every: 1h\n  args:\n  - {x: 1, x: 2}\n", "schedule.yml:4: 'x' is already defined in line 4"),
        ("- every: 1h\n", "schedule.yml:1: an event in a list needs a name"),
        ("- nightly\n", "schedule.yml: an event in a list needs a name"),
        ("5\n", "schedule.yml: expected a mapping of events by name under schedule, not 5"),
        ("a: [\n", "schedule.yml:2: not valid YAML: "),
        ("a: !ruby/object {}\n", "schedule.yml:1: not valid YAML: "),
        (
            "a: {}\n---\nb: {}\n",
            "not valid YAML: expected a single document in the stream, but found another",
        ),
        ("a:\n  cron: <%= x %>\n", "schedule.yml:2: <% is ERB, which only Ruby runs"),
        (
            "a: {every: '${HOW_OFTEN}'}\n",
            "schedule.yml:1: the environment variable HOW_OFTEN is not set; set it, or give",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(read: Read, schedule: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read("", schedule=schedule)

    assert message in str(error.value)


def test_a_schedule_file_that_is_missing_is_told(read: Read) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.yml: No such file"):
        read("schedule_file: nothing.yml\n")


def test_empty_templates_in_a_list_of_merges_are_passed_over(read: Read) -> None:
    text = ".base: &base {cron: '0 6 * * *'}\n.empty: &empty\na: {<<: [*empty, *base], job: AJob}\n"

    [event] = read("", schedule=text)

    assert event.values == {"cron": "0 6 * * *", "job": "AJob"}


def test_of_two_mappings_that_are_merged_the_first_one_counts(read: Read) -> None:
    text = ".a: &a {cron: '0 6 * * *'}\n.b: &b {cron: '0 7 * * *', queue: low}\nc: {<<: [*a, *b], job: AJob}\n"

    [event] = read("", schedule=text)

    assert event.values == {"cron": "0 6 * * *", "queue": "low", "job": "AJob"}


def test_a_list_as_a_key_is_refused_with_its_line(read: Read) -> None:
    with pytest.raises(ConfigurationError, match=r"schedule\.yml:1: not valid YAML: found unhashable key"):
        read("", schedule="? [a, b]\n: {cron: '0 6 * * *', job: AJob}\n")


def test_a_file_is_read_once_for_its_settings_and_its_events(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[object] = []
    get_node = yaml.SafeLoader.get_single_node

    def count(loader: yaml.SafeLoader) -> object:
        counted.append(loader)
        return get_node(loader)

    monkeypatch.setattr(yaml.SafeLoader, "get_single_node", count)

    read("concurrency: 7\nschedule: {once: {cron: '0 6 * * *', job: OnceJob}}\n")

    assert len(counted) == 1
