"""OTHER_BACKENDS.md lists the tests of other backends of the Tasks framework, and our test of the same rule."""

import re
from pathlib import Path

LIST = Path(__file__).parent / "OTHER_BACKENDS.md"
ROWS = re.findall(r"^\| (`.*) \| (.*) \|$", LIST.read_text(), re.MULTILINE)


def test_every_test_of_ours_that_the_list_names_exists(repository: Path) -> None:
    folders = (repository / "tests", repository / "examples" / "django_tasks")
    code = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))

    missing = [name for _, ours in ROWS for name in re.findall(r"`(\w+)`", ours) if f"def {name}(" not in code]

    assert missing == []


def test_the_list_counts_its_rows() -> None:
    theirs = {True: 0, False: 0}
    for names, ours in ROWS:
        theirs[not ours.startswith("none")] += names.count("`") // 2

    assert f"{theirs[True]} of {sum(theirs.values())} are covered. The other {theirs[False]}" in LIST.read_text()
