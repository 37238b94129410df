import json
from datetime import UTC, datetime

import pytest

from clock.cli.output import echo_json, table
from clock.printable import duration


def test_a_column_for_which_there_is_no_room_goes_below_its_row_and_is_wrapped_not_cut() -> None:
    error = "ValueError: " + "no such learner " * 6

    lines = table(
        ["when", "jid", "error"], [["in 2 s", "j" * 24, error], ["in 9 s", "k" * 24, "OSError"]], width=40
    )

    assert lines[:2] == ["when    jid", f"in 2 s  {'j' * 24}"]
    assert lines[2].startswith("  error  ValueError: no such learner")
    assert " ".join(" ".join(lines[2:-2]).split()) == "error " + error.strip()
    assert lines[-2:] == [f"in 9 s  {'k' * 24}", "  error  OSError"]
    assert max(map(len, lines)) <= 40


def test_a_row_in_a_file_is_one_line_with_the_whole_name_however_long() -> None:
    head, row = table(["event", "schedule"], [["n" * 300, "every day at 06:00"]])

    assert row.split(maxsplit=1) == ["n" * 300, "every day at 06:00"]
    assert head.split() == ["event", "schedule"]


def test_a_value_far_too_long_for_a_terminal_is_cut_there_and_whole_in_a_file() -> None:
    assert "x" * 401 not in "".join(table(["job", "error"], [["a", "x" * 5_000]], width=80)).replace(" ", "")
    assert "x" * 5_000 in table(["job", "error"], [["a", "x" * 5_000]])[1]


def test_wide_characters_keep_the_columns_straight() -> None:
    assert table(["event", "jobs"], [["日報", 1], ["nightly", 2]]) == [
        "event    jobs",
        "日報        1",
        "nightly     2",
    ]


def test_a_column_without_values_is_left_out() -> None:
    assert table(["queue", "paused", "jobs"], [["low", None, 1]], width=80) == ["queue  jobs", "low       1"]


def test_what_a_terminal_would_obey_is_not_written_to_it() -> None:
    assert table(["args"], [["\x1b[2J\n\u202e"]], width=80)[1] == r"\x1b[2J\n\u202e"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.004, "4 ms"),
        (9.96, "10 s"),
        (59.6, "60 s"),
        (60, "1 min"),
        (661, "11 min"),
        (3_661, "1 h 1 min"),
        (172_800, "2 d"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_instant_in_json_has_the_form_of_rfc_3339(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"since": datetime(2026, 11, 29, 13, 2, 48, tzinfo=UTC)})

    assert json.loads(capsys.readouterr().out) == {"since": "2026-11-29T13:02:48+00:00"}
