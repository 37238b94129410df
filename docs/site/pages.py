"""Sphinx extension: generated parts of pages, the list of pages, a Markdown twin of each page, llms.txt.

Programs that read documentation ask for `llms.txt` (a list of all pages), `llms-full.txt` (all pages in one file)
or, beside each page, `PAGE.md`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from docs.site import reference
from docs.site.sections import Section, sections

SUMMARY = (
    "A clock process and a job worker for Python web teams, on Redis or Valkey. One file, `lib/clock.py`, defines "
    "what runs and when; workers run the jobs. Each due instant is enqueued exactly once; no job is lost."
)
_PART = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)
_INCLUDE = re.compile(r"^```\{include\} (\S+)\n(?::.*\n)*```$", re.MULTILINE)
_UPWARDS = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)\)")
_TOCTREE = re.compile(r"^```\{toctree\}\n.*?^```\n?", re.MULTILINE | re.DOTALL)


def cards(found: list[Section]) -> str:
    """All pages as Markdown: a card for each section, then the sections of the sidebar."""
    lines = ["::::{container} cards"]
    for section in found:
        lines += [":::{container} card", "", f"**{section.title}.** {section.about}", ""]
        lines += [f"- [](/{page}.md)" for page in section.pages]
        lines += [":::", ""]
    lines += ["::::", ""]
    for section in found:
        lines += ["```{toctree}", ":hidden:", f":caption: {section.title}", "", *section.pages, "```", ""]
    return "\n".join(lines)


def _fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the markers of generated parts in a page that Sphinx reads."""

    def part(found: re.Match[str]) -> str:
        if found[1] == "sections":
            return cards(sections(app.project.docnames))
        return reference.PARTS[found[1]]()

    def outside(link: re.Match[str]) -> str:
        path = (Path(app.srcdir) / page).parent.joinpath(link[2]).resolve()
        if path.is_relative_to(app.srcdir):
            return link[0]
        return f"{link[1]} (`{path.relative_to(Path(app.srcdir).parent)}` in the repository)"

    source[0] = _PART.sub(part, _UPWARDS.sub(outside, source[0]))


def as_text(text: str, page: Path, found: list[Section]) -> str:
    """A page as plain Markdown: without directives, generated parts filled in."""

    def part(marker: re.Match[str]) -> str:
        if marker[1] == "sections":
            return index(found)
        return reference.python_as_text() if marker[1] == "python" else reference.PARTS[marker[1]]()

    text = _INCLUDE.sub(lambda include: (page.parent / include[1]).read_text(), text)
    return _TOCTREE.sub("", _PART.sub(part, text)).strip() + "\n"


def index(found: list[Section], base: str = "") -> str:
    """All pages with a line about each, as Markdown links to their twins."""
    lines = []
    for section in found:
        lines += [f"## {section.title}", "", section.about, ""]
        for page, about in section.pages.items():
            name = page.rpartition("/")[2].replace("-", " ")
            lines.append(f"- [{name}]({base}{page}.md)" + (f": {about}" if about else ""))
        lines.append("")
    return "\n".join(lines)


def _write_twins(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    found = sections(app.project.docnames)
    out, base = Path(app.outdir), app.config.html_baseurl
    ordered = ["index", *(page for section in found for page in section.pages)]
    ordered += sorted(set(app.project.docnames) - set(ordered))
    whole = []
    for page in ordered:
        source = Path(app.env.doc2path(page))
        text = as_text(source.read_text(), source, found)
        (out / f"{page}.md").write_text(text)
        whole.append(f"<!-- {base}{page}.md -->\n\n{text}")
    (out / "llms.txt").write_text(f"# clock\n\n> {SUMMARY}\n\n{index(found, base)}")
    (out / "llms-full.txt").write_text("\n".join(whole))


def _link_twin(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Add the address of the twin to the head of a page."""
    if doctree is not None:
        address = f"{page.rpartition('/')[2]}.md"
        context["metatags"] += f'<link rel="alternate" type="text/markdown" href="{address}">'
        context["twin"] = address


def _read_docstring(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Mark indented paragraphs as code, and drop the note to pytest from the docstring of the package."""
    text = "\n".join(lines).partition("\nPYTEST_")[0]
    lines[:] = re.sub(r"(?<=\n\n)(?=    \S)(?<!::\n\n)", "::\n\n", _joined(text)).split("\n")


def _joined(text: str) -> str:
    """The text with the blank lines inside of indented paragraphs filled, so each is one paragraph."""
    return re.sub(r"(?<=\n)(    .*\n)\n(?=    )", r"\1    \n", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", _fill_in)
    app.connect("html-page-context", _link_twin)
    app.connect("autodoc-process-docstring", _read_docstring)
    app.connect("build-finished", _write_twins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
