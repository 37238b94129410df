"""The clock file as a module, so `multiprocessing` can pickle its functions.

A function is pickled as the name of its module and its own name. While a clock runs, the clock file's module can
be imported. A new process (`spawn`, `forkserver`) imports the stub in `spawned/`, which loads the file again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from clock.timetable.clock_file.loading.loader import load
from clock.timetable.timetable import Timetable

_VARIABLE = "CLOCK_SPAWNED_FILE"  # the clock file's path, for new processes
_STUB = Path(__file__).parent / "spawned"


def make_importable(timetable: Timetable) -> None:
    """Make the clock file's module importable by its name in this process and in those that it starts."""
    name = str(timetable.names["__name__"])
    module = ModuleType(name)
    vars(module).update(timetable.names)
    sys.modules[name] = module
    os.environ[_VARIABLE] = str(timetable.names["__file__"])  # the file may change the current folder
    if str(_STUB) not in sys.path:
        sys.path.append(str(_STUB))


def names_again() -> Mapping[str, object]:
    """The names that the clock file defines, for the stub. Raises DeclarationError."""
    return load(os.environ[_VARIABLE]).names
