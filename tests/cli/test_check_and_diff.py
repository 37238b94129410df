"""`clock check` and `clock diff`: exit codes and forms, for people, pull requests and programs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clock.cli.app import cli
from clock.errors import ClockError, ConfigurationError

CLOCK_FILE = """
from clock import Job, configure, every
from jobs_of_this_test import SendComparedJob
configure(tz="Europe/Berlin")
every().day.at("06:00").do(SendComparedJob, 1).named("daily")
every().day.at("02:30").do(print).named("nightly")
"""
YAML = """
require: yaml_jobs_of_this_test
schedule:
  in.yaml:
    cron: "0 7 * * *"
    job: SendFromYamlJob
    args: [7]
"""
JOBS = "from clock import Job\n\nclass SendComparedJob(Job):\n    def perform(self, number): ...\n"


def run(*args: object) -> Result:
    result = CliRunner().invoke(cli, [*map(str, args)])
    if isinstance(result.exception, ClockError):
        raise result.exception
    return result


def git(*words: str) -> None:
    who = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "me")
    subprocess.run(["git", *words], check=True, env={**os.environ, **who})  # noqa: S607  # git is on the path


def commit() -> None:
    git("add", ".")
    git("commit", "-qm", "As it is")


def declare_in_yaml(project: Path) -> None:
    for name in ("config", "yaml_jobs_of_this_test"):
        (project / name).mkdir()
    (project / "config" / "clock.yml").write_text(YAML)
    (project / "yaml_jobs_of_this_test" / "send.py").write_text(JOBS.replace("Compared", "FromYaml"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "clock.py").write_text(CLOCK_FILE)
    (tmp_path / "jobs_of_this_test.py").write_text(JOBS)
    for name in ("jobs_of_this_test", "days_of_this_test"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.fixture
def versioned(project: Path) -> Path:
    """The project as a repository with one commit."""
    git("init", "-q", "-b", "main")
    commit()
    return project


def test_warnings_name_place_and_date_and_are_no_failure(project: Path) -> None:
    result = run("check")

    assert result.exit_code == 0
    assert "lib/clock.py:6: warning: nightly: 02:30 is skipped on Sun " in result.output
    warnings = result.output.count(": warning: nightly: ")
    assert warnings in (5, 6, 7)  # nights of three years from today
    assert result.output.endswith(f"lib/clock.py: 0 errors, {warnings} warnings\n")


def test_the_zone_and_where_it_was_read_come_first(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("check").output.startswith("zone: ")
    assert "(from configure)" in run("check").output.splitlines()[0]

    (project / "lib" / "clock.py").write_text("from clock import every\nevery().day.do(print)\n")
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    assert run("check").output.startswith("zone: Asia/Tokyo (from the environment variable TZ)\n")
    assert "zone:" not in run("check", "--format", "json").output


def test_a_file_that_does_not_load_is_an_error(project: Path) -> None:
    (project / "lib" / "clock.py").write_text(CLOCK_FILE.replace("06:00", "32:00"))

    result = run("check")

    assert result.exit_code == 1
    assert result.output.startswith("lib/clock.py:5: error: ")


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ("SendComparedJob", "perform(number) cannot take 0 arguments"),
        ("SendComparedJob, {1}", "which JSON does not support"),
        ("NoSuchJob", "NameError"),
    ],
)
def test_jobs_and_arguments_that_cannot_be_are_errors(project: Path, instead: str, told: str) -> None:
    (project / "lib" / "clock.py").write_text(CLOCK_FILE.replace("SendComparedJob, 1", instead))

    result = run("check")

    assert (result.exit_code, told in result.output) == (1, True)


def test_a_job_that_cannot_be_imported_is_an_error(project: Path) -> None:
    (project / "lib" / "clock.py").write_text(CLOCK_FILE.replace("jobs_of_this_test", "no_such_module"))

    result = run("check")

    assert (result.exit_code, "lib/clock.py:3: error: ModuleNotFoundError" in result.output) == (1, True)


def test_the_queues_of_the_settings_are_compared(project: Path) -> None:
    (project / "config").mkdir()
    (project / "config" / "clock.yml").write_text("queues:\n  - low\n")

    assert "the queue 'default', but workers with these settings process only low;" in run("check").output


def test_without_settings_a_queue_that_a_default_worker_does_not_process_is_warned_of(project: Path) -> None:
    clock_file = project / "lib" / "clock.py"
    clock_file.write_text(CLOCK_FILE.replace("do(SendComparedJob, ", 'do(SendComparedJob.set(queue="low"), '))

    assert "the queue 'low', but workers with these settings process only default;" in run("check").output
    assert "or start a worker with -q low" in run("check").output


def test_a_queue_of_a_capsule_is_processed(project: Path) -> None:
    (project / "config").mkdir()
    (project / "config" / "clock.yml").write_text("queues: [low]\ncapsules:\n  one:\n    queues: [default]\n")

    assert "its job goes to the queue" not in run("check").output


def test_findings_in_githubs_form_are_annotations(project: Path) -> None:
    first = run("check", "--format", "github").output.splitlines()[0]

    place, found = "file=lib/clock.py,line=6", r"nightly: 02:30 (is skipped|occurs twice) on "
    assert re.match(rf"::warning {place},title=clock check \(dst\)::{found}", first)


def test_findings_in_json_are_for_programs(project: Path) -> None:
    rows = json.loads(run("check", "--format", "json").output)

    assert {row["rule"] for row in rows} == {"dst"}
    assert rows[0]["at"].endswith("+00:00")


@pytest.mark.process
def test_a_file_and_its_own_revision_do_not_differ(versioned: Path) -> None:
    result = run("diff", "HEAD:lib/clock.py", "--from", "2026-03-28")

    assert (result.exit_code, result.output.startswith("Nothing changes")) == (0, True)


@pytest.mark.process
def test_a_revision_is_loaded_with_its_own_jobs(versioned: Path) -> None:
    (versioned / "jobs_of_this_test.py").write_text(JOBS.replace("SendComparedJob", "SendOtherJob"))
    (versioned / "lib" / "clock.py").write_text(CLOCK_FILE.replace("SendComparedJob", "SendOtherJob"))

    result = run("diff", "HEAD:lib/clock.py", "--from", "2026-03-28")

    assert "runs SendOtherJob(1), no longer SendComparedJob(1)" in result.output


@pytest.mark.process
def test_what_a_condition_of_a_revision_imports_is_that_revisions(versioned: Path) -> None:
    condition = "def on(due):\n    from days_of_this_test import FREE\n    return due.day not in FREE\n"
    (versioned / "lib" / "clock.py").write_text(
        f"from clock import configure, every\n{condition}configure(tz='UTC')\nevery().day.if_(on).do(print)\n"
    )
    (versioned / "days_of_this_test.py").write_text("FREE = [1]\n")
    commit()
    assert run("diff", "HEAD:lib/clock.py", "--from", "2026-03-28").output.startswith("Nothing changes: 28 runs")
    (versioned / "days_of_this_test.py").write_text("from nowhere import FREE\n")
    commit()

    failing = run("diff", "HEAD:lib/clock.py", "--from", "2026-03-28")

    assert "No module named 'nowhere'" in failing.stderr


@pytest.mark.process
def test_a_path_of_a_revision_is_from_the_current_folder(versioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(versioned / "lib")

    for path in ("clock.py", "../lib/clock.py"):
        result = run("diff", f"HEAD:{path}", "clock.py", "--from", "2026-03-28")
        assert result.output.startswith("Nothing changes")

    with pytest.raises(ConfigurationError, match="is outside of the repository"):
        run("diff", "HEAD:../../clock.py", "clock.py")
    (versioned / "new").mkdir()
    monkeypatch.chdir(versioned / "new")
    with pytest.raises(ConfigurationError, match=r"HEAD:clock\.py: that revision has no folder new/"):
        run("diff", "HEAD:clock.py", "../lib/clock.py")


@pytest.mark.process
def test_what_disappears_exits_3(versioned: Path) -> None:
    (versioned / "lib" / "clock.py").write_text(
        CLOCK_FILE.replace('every().day.at("06:00")', "every().monday.at('06:00')")
    )

    result = run("diff", "main:lib/clock.py", "lib/clock.py", "--to", "14d", "--from", "2026-03-23")

    assert result.exit_code == 3
    assert "12 runs gone: Tue 2026-03-24 06:00" in result.output


def test_what_moves_and_what_is_new_is_no_loss(project: Path) -> None:
    (project / "new.py").write_text(
        CLOCK_FILE.replace("06:00", "06:30") + "every().hour.at(':05').do(print).named('h')\n"
    )

    result = run("diff", "lib/clock.py", "new.py", "--from", "2026-03-23", "--format", "json")

    found = json.loads(result.output)
    assert (result.exit_code, found["loses_firings"]) == (0, False)
    assert [event["event"] for event in found["events"]] == ["daily", "h"]


@pytest.mark.process
def test_events_in_yaml_are_compared_with_those_of_the_revision(versioned: Path) -> None:
    declare_in_yaml(versioned)
    commit()
    (versioned / "config" / "clock.yml").write_text(YAML.replace("0 7 * * *", "30 7 * * *"))
    (versioned / "lib" / "clock.py").unlink()  # they are enough

    result = run("diff", "HEAD:lib/clock.py", "--from", "2026-03-28", "--format", "json")

    found = {event["event"]: event for event in json.loads(result.output)["events"]}
    assert {name for name, event in found.items() if event["is_gone"]} == {"daily", "nightly"}
    assert len(found["in.yaml"]["moved"]) == 30


def test_events_in_yaml_stand_beside_both_files(project: Path) -> None:
    declare_in_yaml(project)
    (project / "new.py").write_text(CLOCK_FILE.replace("06:00", "07:00"))

    result = run("diff", "lib/clock.py", "new.py", "--from", "2026-03-28", "--format", "json")

    [collision] = json.loads(result.output)["collisions"]
    assert set(collision["events"]) == {"daily", "in.yaml"}


@pytest.mark.process
@pytest.mark.parametrize(
    ("old", "told"),
    [
        ("nope:lib/clock.py", "nope:lib/clock.py: fatal: not a valid object name: nope"),
        ("HEAD:lib/clok.py", "HEAD:lib/clok.py: no clock file lib/clok.py"),
        ("--upload-pack=x:lib/clock.py", None),
        ("HEAD:", "it must be a revision and a path from this folder"),
    ],
)
def test_a_revision_or_path_that_there_is_not_is_told_in_a_line(
    versioned: Path, old: str, told: str | None
) -> None:
    if told is None:
        assert run("diff", old).exit_code == 2
        return
    with pytest.raises(ConfigurationError, match=told.replace("(", r"\(")):
        run("diff", old)


def test_of_many_findings_of_one_rule_check_shows_a_few(project: Path) -> None:
    (project / "lib" / "clock.py").write_text(
        'from clock import cron\nfor n in range(100):\n    cron("*/90 * * * *").do(print, n).named(f"e{n}")\n'
    )

    text, rows = run("check").output, json.loads(run("check", "--format", "json").output)

    assert [line.split(": ")[2] for line in text.splitlines() if "'*/90'" in line] == [f"e{n}" for n in range(5)]
    assert "lib/clock.py: warning: 95 more of this kind (step); --format json lists them all\n" in text
    assert sum(row["rule"] == "step" for row in rows) == 100


def test_check_names_the_files_that_it_has_checked(project: Path) -> None:
    declare_in_yaml(project)

    assert "lib/clock.py and config/clock.yml: 0 errors, " in run("check").output
    (project / "lib" / "clock.py").unlink()
    assert "\nconfig/clock.yml: 0 errors, " in run("check").output


@pytest.mark.process
def test_a_comparison_without_git_is_reported_in_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ConfigurationError, match="git cannot be run: No such file or directory"):
        run("diff", "HEAD:lib/clock.py")
