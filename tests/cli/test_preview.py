"""`clock preview`: what a clock file will fire, as table, JSON, chart and drawing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clock.cli.app import cli
from clock.errors import ClockError, ConfigurationError, UnknownEvent

CLOCK_FILE = """
from clock import Job, configure, every
configure(tz="Europe/Berlin")

class SendPreviewedJob(Job):
    def perform(self, number): ...

every().day.at("02:30").do(SendPreviewedJob, 1).named("nightly")
every(5).minutes.do(print, "x").named("often")
"""


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    path = tmp_path / "clock.py"
    path.write_text(CLOCK_FILE)
    return path


def preview(*args: object) -> Result:
    result = CliRunner().invoke(cli, ["preview", *map(str, args)])
    if isinstance(result.exception, ClockError):
        raise result.exception
    return result


def test_a_table_tells_when_which_event_does_what(clock_file: Path) -> None:
    result = preview(clock_file, "--from", "2026-03-28", "--to", "3d", "-e", "nightly")

    assert result.output.splitlines() == [
        "when                          event    what",
        "Sat 2026-03-28 02:30:00 CET   nightly  SendPreviewedJob(1)",
        "Sun 2026-03-29 03:00:00 CEST  nightly  SendPreviewedJob(1)",
        "Mon 2026-03-30 02:30:00 CEST  nightly  SendPreviewedJob(1)",
        "3 runs, times in Europe/Berlin",
    ]


def test_json_is_for_programs(clock_file: Path) -> None:
    found = json.loads(preview(clock_file, "--from", "2026-01-01", "--to", "2026-03-05", "--json").output)

    assert len(found["firings"]) == 63 + 63 * 288 - 1
    assert found["start"] == "2026-01-01T00:00:00+01:00"


def test_a_drawing_goes_to_a_file_and_a_chart_to_the_terminal(clock_file: Path, tmp_path: Path) -> None:
    drawing = tmp_path / "march.svg"

    result = preview(clock_file, "--from", "2026-03-28", "--to", "2026-03-31", "--svg", drawing, "--chart")

    assert "Sun 2026-03-29!|      ·" in result.output
    assert drawing.read_text().startswith("<svg ")


def test_a_drawing_that_cannot_be_written_is_told_in_one_line(clock_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write .*march\.svg: No such file or directory"):
        preview(clock_file, "--svg", tmp_path / "nowhere" / "march.svg")


def test_a_span_without_firings_is_said_to_be_one(clock_file: Path) -> None:
    result = preview(clock_file, "--from", "2026-03-28 03:00", "--to", "12h", "-e", "nightly")

    assert result.output.startswith("No runs from 2026-03-28 03:00")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "soon"], "--from is 'soon'; use 2026-12-24"),
        (["--to", "a while"], "--to is 'a while'; use"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--to 2026-01-01 is not after --from"),
        (["--to", "99999999w"], "--to '99999999w' is outside the years 1 to 9999"),
        (["--from", "0002-01-01", "--to", "1d"], "must be in the years 1900 to 9000"),
        (["--from", "2026-01-01", "--to", "9999-12-31"], "must be in the years 1900 to 9000"),
    ],
)
def test_a_wrong_span_is_told_in_one_line(clock_file: Path, options: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        preview(clock_file, *options)


def test_a_span_with_too_many_runs_is_refused_early(clock_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.cli.commands.clock_file.preview.MOST_RUNS", 50)

    with pytest.raises(ConfigurationError, match=r"more than 50 runs until 2026-\d\d-\d\d; use an earlier --to"):
        preview(clock_file, "--from", "2026-01-01", "--to", "9000-01-01")


def test_an_unknown_event_is_told_with_the_near_one(clock_file: Path) -> None:
    with pytest.raises(UnknownEvent, match="did you mean 'nightly'"):
        preview(clock_file, "--event", "nigthly")


def test_a_drawing_alone_is_reported_with_its_number_of_runs(clock_file: Path, tmp_path: Path) -> None:
    drawing = tmp_path / "march.svg"

    result = preview(clock_file, "--from", "2026-03-28", "--to", "3d", "-e", "nightly", "--svg", drawing)

    assert result.output == f"Wrote {drawing}: 3 runs\n"


def test_a_long_rehearsal_shows_its_progress_on_a_terminal(
    clock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = preview(clock_file, "--from", "2026-01-01", "--to", "2026-02-10", "-e", "nightly").stderr
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)

    on_a_terminal = preview(clock_file, "--from", "2026-01-01", "--to", "2026-02-10", "-e", "nightly").stderr

    assert "Rehearsing" not in shown
    assert "Rehearsing" in on_a_terminal
