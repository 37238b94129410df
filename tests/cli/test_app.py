import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from redis import Redis

from clock.cli.app import SECTIONS, cli, main
from clock.cli.groups import CommandGroup

COMMANDS = [name for section in SECTIONS.values() for name in section]


def all_commands(command: click.Command, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command, those of groups as well, as the words that name it."""
    if not isinstance(command, click.Group):
        return [words]
    ctx = click.Context(command)
    found: list[tuple[str, ...]] = []
    for name in command.list_commands(ctx):
        under = command.get_command(ctx, name)
        assert under is not None
        found += all_commands(under, (*words, name))
    return found


@pytest.mark.parametrize("words", all_commands(cli), ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"])

    assert shown.exit_code == 0
    assert "Example: " in shown.output
    assert f"clock {' '.join(words)}" in shown.output or words == ("run",)


def test_the_help_lists_every_command_in_its_section() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output

    for title, section in SECTIONS.items():
        listed = shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in listed.splitlines() if line[2] != " "] == list(section)


@pytest.mark.process
def test_the_help_imports_no_command() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom clock.cli.app import cli\n"
        "assert 'Run jobs.' in CliRunner().invoke(cli, ['--help']).output\n"
        "print([name for name in sys.modules if name.startswith('clock.cli.commands')])"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert ended.stdout == "[]\n"


@pytest.mark.parametrize("words", sorted({words[:-1] for words in all_commands(cli)}), ids=" ".join)
def test_each_command_is_told_of_in_one_whole_line_on_a_terminal_of_80_columns(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80)

    _, _, listed = shown.output.partition("Show this message and exit.")
    assert listed
    assert [line for line in listed.splitlines() if line.endswith("...") or line.startswith(" " * 10)] == []


def test_on_a_narrow_terminal_the_list_of_commands_is_wrapped_and_not_cut() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=50).output

    assert "Run the clock and a worker" in shown
    assert "..." not in shown.replace("ARGS]...", "")


def test_the_guide_tells_of_each_command_in_the_words_of_its_help(repository: Path) -> None:
    guide = (repository / "docs/command-line.md").read_text(encoding="utf-8")

    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert f"| `{name}` | {command.get_short_help_str(100).removesuffix('.')} |" in guide


def test_a_mistyped_command_suggests_the_near_one() -> None:
    shown = CliRunner().invoke(cli, ["wroker"])

    assert shown.exit_code == 2
    assert "did you mean 'worker'?" in shown.output


def test_options_alone_are_those_of_the_default_command() -> None:
    shown = CliRunner().invoke(cli, ["--health-prt", "1"])

    assert shown.exit_code == 2
    assert "--health-port" in shown.output
    assert CliRunner().invoke(cli, ["--version"]).output.startswith("clock, version")


def test_a_mistyped_command_of_a_group_suggests_the_near_one() -> None:
    group = CommandGroup("queue", commands=[click.Command("list"), click.Command("clear")])

    near = CliRunner().invoke(group, ["lsit"])
    far = CliRunner().invoke(group, ["xyz"])
    unknown = CliRunner().invoke(cli, ["help", "wroker"])

    assert (near.exit_code, far.exit_code, unknown.exit_code) == (2, 2, 2)
    assert "Unknown command 'wroker'" in unknown.output
    assert "Unknown command 'lsit' of 'queue'; did you mean 'list'?" in near.output
    assert "Unknown command 'xyz' of 'queue'; available: list, clear" in far.output


def test_a_mistyped_option_suggests_the_near_one() -> None:
    shown = CliRunner().invoke(cli, ["worker", "--concurency", "3"])

    assert shown.exit_code == 2
    assert "--concurrency" in shown.output


def test_an_option_in_front_of_the_command_says_where_it_belongs() -> None:
    shown = CliRunner().invoke(cli, ["--redis", "redis://cache", "status"])

    assert shown.exit_code == 2
    assert "No such option '--redis'. Put options after the command." in shown.output


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    shown = CliRunner().invoke(cli, ["completion", shell])

    assert shown.exit_code == 0
    assert f"_CLOCK_COMPLETE={shell}_complete" in shown.output


@pytest.mark.process
def test_the_shell_completes_commands() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "clock"],
        env={**os.environ, "_CLOCK_COMPLETE": "bash_complete", "COMP_WORDS": "clock wor", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert asked.stdout == "plain,worker\n"


@pytest.mark.process
def test_starting_one_command_imports_none_of_the_others() -> None:
    code = "import sys; sys.argv = ['clock', 'run', '--help']\ntry:\n import clock.__main__\nexcept SystemExit:\n"
    code += " print('MODULES', *sorted(name for name in sys.modules if name.startswith('clock.cli.')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    loaded = ended.stdout.partition("MODULES ")[2].split()
    assert "clock.cli.commands.running.run" in loaded
    assert not {"clock.cli.commands.running.worker", "clock.cli.commands.running.dev"} & set(loaded)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-h"], "python -m clock worker -r jobs"),
        (["help"], "python -m clock worker -r jobs"),
        (["worker", "-h"], "Run jobs."),
        (["help", "worker"], "Run jobs."),
        (["help", "queue", "list"], "List the queues"),
        (["queue", "help"], "list"),
        (["queue", "help", "list"], "List the queues"),
    ],
)
def test_help_is_found_however_it_is_asked_for(words: list[str], shown: str) -> None:
    result = CliRunner().invoke(cli, words)

    assert result.exit_code == 0
    assert shown in result.output


def test_a_mistyped_option_of_the_program_suggests_the_near_one() -> None:
    result = CliRunner().invoke(cli, ["--versoin"])

    assert (result.exit_code, "Did you mean '--version'?" in result.output) == (2, True)


@pytest.mark.parametrize(
    "words", [["pause", "nightly", "--note", "caf\udce9"], ["cancel", "caf\udce9"], ["mark-deploy", "caf\udce9"]]
)
def test_an_argument_that_is_not_utf_8_is_answered_in_one_sentence(
    words: list[str],
    application: Path,
    redis: Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(
        "from clock import every\nevery().day.do(print).named('nightly')"
    )
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setattr(sys, "argv", ["clock", *words])

    with pytest.raises(SystemExit) as ended:
        main()

    [line] = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert "not valid UTF-8: caf\\udce9" in line


def test_a_missing_clock_file_is_told_with_its_folder_and_the_closest_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    empty = CliRunner().invoke(cli, ["lib/clock.py"]).output
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "clock.py").touch()
    near = CliRunner().invoke(cli, ["lib/clok.py"]).output

    assert f"No such file 'lib/clock.py' in {tmp_path}; change to the application's folder" in empty
    assert f"No such file 'lib/clok.py' in {tmp_path}; did you mean 'lib/clock.py'?" in near


@pytest.mark.parametrize(
    "words",
    [
        ["worker", "-r", ""],
        ["worker", "-r", "jobs", "-r", ""],
        ["worker", "--with-clock", ""],
        ["run", ""],
        [""],
        ["run", "--schedule-file", ""],
        ["preview", "--svg", ""],
        ["fire", "daily", "-f", ""],
        ["status", "--config", ""],
    ],
    ids=" ".join,
)
def test_an_empty_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)

    told = CliRunner().invoke(cli, words)

    assert told.exit_code == 2
    assert "the path is empty" in told.output


def test_an_event_in_place_of_a_clock_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    error = CliRunner().invoke(cli, ["explain", "morning.greeting"]).exception

    assert str(error) == (
        "no clock file morning.greeting; the argument is the path of a clock file, not the name of an event"
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (click.Abort(), "stopped"),
        (MemoryError(), "out of memory"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_an_error_of_the_system_is_told_in_one_sentence(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fails)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("clock: ")
    assert sentence in line
