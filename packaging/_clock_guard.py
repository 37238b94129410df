"""Keeps a clock file from hiding the package that it imports.

`python lib/clock.py` puts `lib` in front of the import path, where `clock` is the clock file itself, and so does
`python -m clock` in that folder. `clockd.pth` imports this module at the start of an interpreter whose command
line speaks of a clock; where it is one of the two, and the file imports what declares events, the package is
imported before the import path is changed. It can then say what to run instead. The folder that holds `lib` goes
on the path, for the file's own imports.

PYTEST_DONT_REWRITE: pytest, which loads the package's plugin, would warn that this is imported already.
"""

import re
import sys
from pathlib import Path

_IMPORTS = re.compile(r"^[ \t]*(?:from|import)\b.*\b(?:clock|schedule)\b", re.MULTILINE)


def guard(command: list[str], import_path: list[str]) -> None:
    """Import the package where `command` runs a clock file called clock.py, or the module `clock` beside one."""
    program = next((word for word in command[1:] if not word.startswith("-")), "")
    file = Path("clock.py" if program == "clock" else program)
    if file.name != "clock.py":
        return
    try:
        if not _IMPORTS.search(file.read_text(encoding="utf-8", errors="replace")):
            return  # another program's own, which may import itself by that name
        __import__("clock")
        folder = file.resolve().parent
    except Exception:  # noqa: BLE001  # whoever needs the package will hear of it; no other program's start is harmed
        return
    if folder.name == "lib":
        import_path.insert(0, str(folder.parent))


guard(sys.orig_argv, sys.path)
