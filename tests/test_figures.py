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
"""


def test_each_page_has_the_figures_of_the_source() -> None:
    differing = [page.name for page, text in quoting.pages(SOURCE).items() if text != page.read_text()]

    assert not differing, f"run python -m benchmarks.figures: {differing}"


def test_each_figure_is_quoted_and_has_its_benchmark() -> None:
    quoted = set(
        re.findall(r"\{(.*?)\}", "".join(json.dumps(table["rows"]) for table in SOURCE["tables"].values()))
    )

    assert quoted == set(SOURCE["figures"])
    for figure in SOURCE["figures"].values():
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
