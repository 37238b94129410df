import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from clock import job
from clock.job import registry
from clock.timetable import Timetable, load
from clock.timetable.naming import LONGEST, name_of, shortened, shown

Load = Callable[[str], Timetable]

UNNAMED = [
    "every().day.do(act, {'b', 'a', 'c', 'd'})",
    "every().day.do(act, object())",
    "every().day.do(partial(act, 1, key={'y', 'x'}))",
    "every().day.do(lambda: act('a'))",
    "every().day.do(lambda: act('b'))",
    "every().day.do(Sender().send)",
    "every().day.do(Sender.send_all)",
    "every().day.do(Sender())",
    "every().day.do(act)",
    "every().day.do(act)",
    "every(5).to(10).minutes.do(SendLetterJob, 'me')",
    "cron('@daily').do(SendLetterJob, DUE_AT)",
]
SENDER = """
from functools import partial
class Sender:
    def send(self): ...
    def __call__(self): ...
    @classmethod
    def send_all(cls): ...
"""


def names(timetable: Timetable) -> list[str]:
    return [event.name for event in timetable.events]


def test_a_name_may_have_joined_emoji_and_wide_spaces(load_lines: Load) -> None:
    given = ["👩\u200d👩\u200d👧 mail", "日次\u3000メール", "10\u00a0Uhr", "می\u200cکنم"]

    timetable = load_lines("\n".join(f"every().day.do(act).named({name!r})" for name in given) + "\n")

    assert names(timetable) == given


def test_names_tell_what_is_done_and_when(load_lines: Load) -> None:
    assert names(load_lines(SENDER + "\n".join(UNNAMED) + "\n")) == [
        "act({'a', 'b', 'c', 'd'}) every day",
        "act(<object object>) every day",
        "act(1, key={'x', 'y'}) every day",
        "lambda: act('a') every day",
        "lambda: act('b') every day",
        "Sender.send every day",
        "Sender.send_all every day",
        "Sender every day",
        "act every day",
        "act every day (2)",
        "SendLetterJob('me') every 5 to 10 minutes",
        "SendLetterJob(DUE_AT) cron @daily",
    ]


def test_spaces_in_a_cron_expression_are_no_part_of_the_name(load_lines: Load) -> None:
    spaced, plain = (load_lines(f"cron('{text}').do(act)\n") for text in ("  0   6 * * *  ", "0 6 * * *"))

    assert names(spaced) == names(plain)
    assert spaced.events[0].declaration == plain.events[0].declaration


def test_names_do_not_depend_on_the_order_of_the_file(load_lines: Load) -> None:
    first = names(load_lines(SENDER + "\n".join(UNNAMED) + "\n"))
    second = names(load_lines(SENDER + "\n".join(reversed(UNNAMED)) + "\n"))

    assert sorted(first) == sorted(second)


def test_the_zone_is_part_of_a_name_where_the_event_has_its_own(load_lines: Load) -> None:
    lines = [
        "every().day.at('06:00', 'Europe/Berlin').do(act)",
        "every().day.at('06:00', 'Asia/Tokyo').do(act)",
        "every().day.at('06:00').do(act)",
        "cron('0 6 * * *', tz='UTC').do(act)",
    ]

    assert names(load_lines("configure(tz='UTC')\n" + "\n".join(lines) + "\n")) == [
        "act every day at 06:00 in Europe/Berlin",
        "act every day at 06:00 in Asia/Tokyo",
        "act every day at 06:00",
        "act cron 0 6 * * * in UTC",
    ]


def test_events_that_differ_in_what_is_no_part_of_a_name_keep_their_numbers_in_any_order(load_lines: Load) -> None:
    lines = [
        "every().day.do(act).if_(holidays)",
        "every().day.do(act).until('2030-01-01')",
        "every().day.do(act).dst(fold='both')",
        "every().day.do(act)",
        "every().day.do(act).catch_up('skip')",
    ]

    def told(lines: list[str]) -> set[tuple[str, str, object, str]]:
        events = load_lines("\n".join(lines) + "\n").events
        return {(event.name, event.declaration, event.condition, event.catch_up) for event in events}

    assert told(lines) == told(lines[::-1]) == told(lines[2:] + lines[:2])


def test_events_that_differ_in_their_conditions_are_numbered_by_the_names_of_these(load_lines: Load) -> None:
    timetable = load_lines("""
        def conditions():
            def f(due): ...
            def e(due): ...
            def d(due): ...
            def c(due): ...
            def b(due): ...
            def a(due): ...
            return [f, e, d, c, b, a]

        for condition in conditions(): every().day.if_(condition).do(act)
        every().day.do(act)
    """)

    conditions = {event.name: event.condition and event.condition.__name__ for event in timetable.events}
    assert conditions == {
        "act every day": None,
        **{f"act every day ({number})": name for number, name in enumerate("abcdef", 2)},
    }


@pytest.mark.process
def test_names_are_the_same_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "clock.py"
    path.write_text(
        "from clock import *\nfrom tests.timetable.jobs import *\n" + SENDER + "\n".join(UNNAMED) + "\n"
    )
    program = f"from clock.timetable import load; print([e.name for e in load({str(path)!r}).events])"

    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert told[0] == told[1] == f"{names(load(path))}\n"


def test_lambdas_on_one_line_are_told_apart(load_lines: Load) -> None:
    timetable = load_lines("for do in (lambda: act(1), lambda: act(2)): every().day.do(do)\n")

    assert names(timetable) == ["lambda: act(1) every day", "lambda: act(2) every day"]


def test_a_given_name_goes_before_one_that_is_made(load_lines: Load) -> None:
    timetable = load_lines("every().day.do(act)\nevery().hour.do(act).named('act every day')\n")

    assert names(timetable) == ["act every day (2)", "act every day"]


def test_a_long_name_is_cut_and_still_its_own() -> None:
    one, other = (shortened(f"act({'x' * 1_000_000}{end}) every day") for end in ("a", "b"))

    assert one != other
    assert len(one) == len(other) == LONGEST
    assert shortened("act every day") == "act every day"
    assert shortened("x" * LONGEST) == "x" * LONGEST


def test_a_tuple_is_shown_as_python_writes_it() -> None:
    assert [shown(()), shown((1,)), shown((1, "a"))] == ["()", "(1,)", "(1, 'a')"]


def test_a_delay_is_part_of_what_is_done(load_lines: Load) -> None:
    timetable = load_lines("every().day.do(SendLetterJob.set(wait=60, queue='low'), 'me')\n")

    assert names(timetable) == ["SendLetterJob.set(queue='low', wait=60)('me') every day"]


def test_a_lambda_without_a_source_is_called_a_lambda() -> None:
    assert name_of(eval("lambda: 1")) == "<lambda>"  # noqa: S307  # a lambda that stands in no file
    assert name_of(partial(partial(print, 1), 2)) == "print(1, 2)"


def test_a_lambda_alone_in_its_line_is_found_without_the_places_of_its_code() -> None:
    """Python leaves them out with `-X no_debug_ranges`."""
    alone = lambda: len("alone")  # noqa: E731  # a lambda that has its line to itself
    alone.__code__ = alone.__code__.replace(co_linetable=b"")

    assert name_of(alone) == "lambda: len('alone')"


def test_a_lambda_of_a_file_that_has_changed_is_called_a_lambda(tmp_path: Path) -> None:
    path = tmp_path / "changed.py"
    path.write_text("found = lambda: 1\n")
    names: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102  # its own text

    path.write_text("found = (\n")

    assert name_of(names["found"]) == "<lambda>"


def test_a_push_of_a_function_is_called_by_the_name_of_its_job() -> None:
    @job(wire_name="reports.send")
    def send_report() -> None: ...

    try:
        assert name_of(send_report.perform_async) == "reports.send.perform_async"
        assert name_of(send_report.job.perform_async) == "reports.send.perform_async"
    finally:
        registry.forget(send_report.job)
