"""Keeps a clock file from hiding the package that it imports.

`python lib/clock.py` puts `lib` in front of the import path, where `clock` is the clock file itself, and so does
`python -m clock` in that folder. `clockd.pth` imports this module at the start of an interpreter whose command
line speaks of a clock; where it is one of the two, the package is imported before the import path is changed. It
can then say what to run instead. The folder that holds `lib` goes on the path, for the file's own imports.

PYTEST_DONT_REWRITE: pytest, which loads the package's plugin, would warn that this is imported already.
"""

import sys
from pathlib import Path


def guard(command: list[str], import_path: list[str]) -> None:
    """Import the package where `command` runs a file called clock.py, or the module `clock` beside one."""
    program = next((word for word in command[1:] if not word.startswith("-")), "")
    is_hidden = Path("clock.py").exists() if program == "clock" else Path(program).name == "clock.py"
    if not is_hidden:
        return
    try:
        __import__("clock")
    except ImportError:  # another environment's concern: whoever needs the package will hear of it
        return
    folder = Path(program).resolve().parent
    if folder.name == "lib":
        import_path.insert(0, str(folder.parent))


guard(sys.orig_argv, sys.path)
