import pytest

from clock.cli.output import duration, table


def test_a_table_wider_than_the_terminal_shortens_its_widest_column() -> None:
    lines = table(["job", "error"], [["SendMailJob", "x" * 100]], width=40)

    assert [len(line) for line in lines[1:]] == [40]
    assert lines[1].startswith("SendMailJob  xxx")
    assert lines[1].endswith("…")


def test_a_column_whose_values_are_copied_is_never_shortened() -> None:
    lines = table(["when", "jid", "error"], [["in 2 s", "j" * 24, "x" * 100]], width=50, whole="jid")

    assert f"in 2 s  {'j' * 24}  xxx" in lines[1]
    assert len(lines[1]) == 50


def test_a_table_that_cannot_be_made_narrow_enough_is_left_too_wide() -> None:
    assert [len(line) for line in table(["a", "jid"], [["x" * 20, "j" * 24]], width=20, whole="jid")] == [13, 34]


def test_a_column_without_values_is_left_out() -> None:
    assert table(["queue", "paused", "jobs"], [["low", None, 1]], width=80) == ["queue  jobs", "low       1"]


def test_what_a_terminal_would_obey_is_not_written_to_it() -> None:
    assert "\x1b" not in table(["args"], [["\x1b[2J"]], width=80)[1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.004, "0.004 s"), (59.6, "60 s"), (60, "1 min"), (3_661, "1 h 1 min"), (172_800, "2 d")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
