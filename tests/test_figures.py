"""README and the guides quote the figures of `benchmarks/figures.json`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import quoting

SOURCE: dict[str, Any] = json.loads(quoting.SOURCE.read_text())
PRINTED = """\
| | |
| --- | --- |
| CPU | AMD EPYC |
| cores | 2 |

benchmarks/drain.py
Jobs that do nothing, log level warning, one process:
  bare loop      90,123 jobs/s
  clock         101,456 jobs/s
Jobs that wait 1 ms, 10 threads:
  no program      9,300 naps/s
  clock           8,950 jobs/s

benchmarks/idle_tick.py
Microseconds of a tick with nothing due, by events declared
                                    100        1,000       10,000      100,000
  clock                             2.6          2.7          2.8          2.9

benchmarks/json_library.py
210 bytes, microseconds      json   clock
read                           7.04    1.03
write                          6.70    1.09
write, one of a thousand       6.50    0.22

benchmarks/loop_lag.py
idle loop                 p50   0.07 ms   p99   0.12 ms   worst   0.35 ms
bare redis.asyncio        p50   0.08 ms   p99   0.79 ms   worst  13.62 ms
aperform_async            p50   0.06 ms   p99   1.03 ms   worst   9.44 ms
aperform_async by threads p50   0.09 ms   p99   1.40 ms   worst   3.99 ms

benchmarks/setups.py
| | plain | plain again | CLOCK_SHARDS=1 | a namespace | a namespace, 2 shards |
| --- | --- | --- | --- | --- | --- |
| a push | 28.2 µs | 31.8 µs (1.13) | 28.3 µs (1.00) | 24.8 µs (0.88) | 30.1 µs (1.07) |
| lateness of a run | 3.2 ms | 2.9 ms (0.93) | 3.1 ms (0.97) | 9.2 ms (2.92) | 3.0 ms (0.94) |
"""


def test_each_page_has_the_figures_of_the_source() -> None:
    differing = [page.name for page, text in quoting.pages(SOURCE).items() if text != page.read_text()]

    assert not differing, f"run python -m benchmarks.figures: {differing}"


def test_each_figure_is_quoted_and_has_its_benchmark() -> None:
    quoted = set(
        re.findall(r"\{(.*?)\}", "".join(json.dumps(table["rows"]) for table in SOURCE["tables"].values()))
    )

    assert quoted == set(SOURCE["figures"])
    for name, figure in SOURCE["figures"].items():
        assert ("find" in figure) != ("by_hand" in figure), name
        assert figure["by"] in figure.get("by_hand", figure["by"])
        assert Path(quoting.ROOT, "benchmarks", f"{figure['by']}.py").exists()
        assert figure["measured"] in SOURCE["measured"]


def test_the_figures_of_a_run_replace_those_of_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    source = json.loads(quoting.SOURCE.read_text())

    quoting.read(source, PRINTED)

    figures = {name: figure["value"] for name, figure in source["figures"].items()}
    assert figures["drain clock"] == "100,000"
    assert (figures["naps clock"], figures["naps limit"]) == ("9,000", "9,300")
    assert figures["idle clock"] == "2.8"
    assert source["figures"]["idle clock"]["measured"] == quoting.LATEST
    assert "CPU AMD EPYC; cores 2" in source["measured"][quoting.LATEST]
    assert figures["drain Sidekiq"] == SOURCE["figures"]["drain Sidekiq"]["value"]
    assert "drain Sidekiq: not found; it keeps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("json read before", "7"),
        ("json read", "1"),
        ("json write many", "0.22"),
        ("loop idle", "0.07"),
        ("loop clock", "0.06"),
        ("loop p99 clock", "1"),
        ("loop p99 threads", "1.4"),
        ("space push without", "28"),
        ("space push", "25"),
        ("space push ratio", "0.88"),
        ("space push again", "1.13"),
        ("space late", "9.2"),
    ],
)
def test_a_figure_is_found_in_its_own_line_and_column(name: str, value: str) -> None:
    source = json.loads(quoting.SOURCE.read_text())

    quoting.read(source, PRINTED)

    assert (source["figures"][name]["value"], source["figures"][name]["measured"]) == (value, quoting.LATEST)


def test_figures_that_are_kept_by_hand_are_named_with_the_command_that_measures_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = json.loads(quoting.SOURCE.read_text())

    quoting.read(source, PRINTED)

    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("limits median plain:")]
    value = SOURCE["figures"]["limits median plain"]["value"]
    command = "chrt -f 10 python benchmarks/limits.py --rounds 13"
    assert line == f"limits median plain: kept by hand: {value}; `{command}` measures it"
    assert source["figures"]["limits median plain"] == SOURCE["figures"]["limits median plain"]
