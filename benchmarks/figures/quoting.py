"""The figures that README and the guides quote. `benchmarks/figures.json` is their one source.

    python -m benchmarks.figures                      # write the tables of README and docs again
    python -m benchmarks.figures build/benchmark.md   # first read the figures of a `make benchmark`

The file holds `measured` (where and when, a sentence each), `figures` and `tables`. A figure has its value as it
is quoted, its benchmark, and either `find`, a pattern that finds it in the benchmark's output, or `by_hand`, the
command that measures it: `make benchmark` cannot. `digits` is the number of significant digits, if it is not 2. A
cell of a table names figures in braces. A table is between the lines `<!-- figures: NAME -->` and `<!-- end of
figures -->` of its page.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "benchmarks" / "figures.json"
LATEST = "make benchmark"  # the entry of `measured` for figures that were read
WIDTH = 100  # of a line of a guide
END = "<!-- end of figures -->"
FACTS = ("CPU", "cores", "Python", "redis-server", "load (1, 5, 15 min)")

Source = dict[str, Any]


def main() -> None:
    """Read the figures of a benchmark, if one is given, and write the pages."""
    source: Source = json.loads(SOURCE.read_text())
    if sys.argv[1:]:
        read(source, Path(sys.argv[1]).read_text())
        SOURCE.write_text(json.dumps(source, indent=2, ensure_ascii=False) + "\n")
    for page, text in pages(source).items():
        page.write_text(text)


def pages(source: Source) -> dict[Path, str]:
    """Each page that quotes figures, with its tables as the source has them."""
    found: dict[Path, str] = {}
    for name, table in source["tables"].items():
        page = ROOT / table["page"]
        text = found.get(page) or page.read_text()
        begin = f"<!-- figures: {name} -->\n"
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{table['page']}: the lines {begin.strip()} and {END} are missing")
        found[page] = f"{before}{begin}{written(source, table)}{end}{after}"
    return found


def written(source: Source, table: Mapping[str, Any]) -> str:
    """A table in Markdown, after the sentences about where its figures were measured."""
    figures = source["figures"]
    quoted = {name: figure["value"] for name, figure in figures.items()}
    cells = [[cell.format_map(quoted) for cell in row] for row in table["rows"]]
    lines = [table["columns"], ["---"] * len(table["columns"]), *cells]
    used = re.findall(r"\{(.*?)\}", json.dumps(table["rows"]))
    measured = dict.fromkeys(source["measured"][figures[name]["measured"]] for name in used)
    about = textwrap.fill(" ".join([*measured, *table.get("about", "").split()]), WIDTH, break_on_hyphens=False)
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("|  |", "| |")
    return f"{about}\n\n{rows}\n"


def read(source: Source, benchmark: str) -> None:
    """Replace the figures that a `make benchmark` has printed, and the facts about its machine."""
    facts = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", benchmark, re.MULTILINE))
    shown = "; ".join(f"{name} {facts.get(name, 'unknown')}" for name in FACTS)
    source["measured"][LATEST] = f"Measured on {date.today()} by `make benchmark`: {shown}."
    _, *parts = re.split(r"^benchmarks/(\w+)\.py$", benchmark, flags=re.MULTILINE)
    outputs = dict(zip(parts[::2], parts[1::2], strict=True))
    for name, figure in source["figures"].items():
        if "by_hand" in figure:
            print(f"{name}: kept by hand: {figure['value']}; `{figure['by_hand']}` measures it", file=sys.stderr)
        elif found := re.search(figure["find"], outputs.get(figure["by"], ""), re.MULTILINE):
            figure["value"] = rounded(found[1], figure.get("digits", 2))
            figure["measured"] = LATEST
        else:
            print(f"{name}: not found; it keeps {figure['value']}", file=sys.stderr)


def rounded(text: str, digits: int = 2) -> str:
    """A number with so many significant digits, as the pages write it.

    >>> rounded("78,123"), rounded("5.63"), rounded("0.104"), rounded("1.04", 3)
    ('78,000', '5.6', '0.1', '1.04')
    """
    number = float(f"{float(text.replace(',', '')):.{digits}g}")
    return f"{number:,.0f}" if number >= 10 else f"{number:g}"


if __name__ == "__main__":
    main()
