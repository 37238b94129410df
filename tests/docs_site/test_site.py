"""The documentation site: it builds without warnings, without the network, and programs can read it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.site.sections import SECTIONS, sections


def test_a_guide_that_no_section_lists_is_on_the_site() -> None:
    found = sections(["jobs", "a-new-guide", "decisions/json", "index"])

    assert found[:-1] == list(SECTIONS)
    assert list(found[-1].pages) == ["a-new-guide"]


def test_each_page_of_a_section_exists(repository: Path) -> None:
    listed = [page for section in SECTIONS for page in section.pages]

    assert [page for page in listed if not (repository / f"docs/{page}.md").exists()] == []
    assert len(listed) == len(set(listed))


@pytest.mark.process
@pytest.mark.slow
def test_the_site_builds_without_warnings_and_refers_to_no_other_host(repository: Path, tmp_path: Path) -> None:
    offline = (
        "import gc, socket, sys; socket.socket.connect = None; "
        "gc.disable(); "  # it takes 7 of 18 s
        "from sphinx.cmd.build import main; sys.exit(main())"
    )
    options = ["-W", "--keep-going", "-q", "-d", str(tmp_path / "doctrees"), "-c", "docs/site", "docs"]

    built = subprocess.run(
        [sys.executable, "-c", offline, *options, str(tmp_path / "site")],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=400,
    )

    assert built.returncode == 0, built.stderr
    site = tmp_path / "site"
    pages = [page for page in site.rglob("*.html") if page.stem not in ("genindex", "search", "py-modindex")]
    assert len(pages) > 50
    for page in pages:
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|link)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*"', text), page
        assert page.with_suffix(".md").read_text().strip(), page
    listed = re.findall(r"\]\((\S+\.md)\)", (site / "llms.txt").read_text())
    assert {str(page.relative_to(site).with_suffix(".md")) for page in pages} - set(listed) == {
        "index.md",
        *(f"decisions/{page.stem}.md" for page in (repository / "docs/decisions").glob("*.md")),
    }
    whole = (site / "llms-full.txt").read_text()
    for name in ("clock dead delete", "REDIS_URL", "clock:ledger:decided", "clock_firings_total", "perform_async"):
        assert name in whole, name
    assert "<!-- generated" not in whole
