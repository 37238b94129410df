"""Loads a clock file: it is run once, from its path, and its declarations become a timetable.

It runs under a separate module name, because as `clock` it would hide this package; for the same reason its
folder never goes to the front of the import path. A script for the `schedule` package runs as `__main__`.

A load leaves the process as it was: the current folder, the import path, the `schedule` package, and the modules
that declared something, which the next load runs again. Other modules that the file imports stay imported, as for
any program.

While a clock runs, the clock file's module can be imported, so `multiprocessing` can pickle its functions. A new
process (`spawn`, `forkserver`) imports the stub in `spawned/`, which loads the file again.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from clock.config import Declared
from clock.errors import DeclarationError
from clock.gc_pause import uncollected
from clock.import_path import add_application
from clock.timetable.clock_file.draft import Draft, drafting
from clock.timetable.clock_file.loading.ending import Ending
from clock.timetable.clock_file.loading.file_run import run
from clock.timetable.clock_file.loading.source_file import SourceFile, read
from clock.timetable.clock_file.machine_zone import machine_zone
from clock.timetable.clock_file.rows.yaml_events import FindJob, entry_in_yaml
from clock.timetable.clock_file.schedule_package import Scheduler, adopt, standing_in
from clock.timetable.timetable import Timetable

_SPAWNED_FILE = "CLOCK_SPAWNED_FILE"  # the variable with the clock file's path, for new processes
_STUB = Path(__file__).parent / "spawned"
#: Held while a file is loaded: the import path and the `schedule` package are the load's for that time.
_lock = threading.RLock()


def load(
    path: str | os.PathLike[str] = "lib/clock.py",
    *,
    root: Path | None = None,
    declared: Sequence[Declared] = (),
    find_job: FindJob | None = None,
) -> Timetable:
    """Run the clock file at `path` and return the timetable that it declares.

    `declared` are further events, of YAML files, whose job classes `find_job` finds by name; with these, the clock
    file may be missing.

    The file can import the modules that `import_path.add_application` names. Raises ConfigurationError if the file
    cannot be read, DeclarationError for an invalid declaration or an error of the file; both start with file and
    line.
    """
    path = Path(path)
    if declared and not path.exists():
        source = SourceFile(Path(declared[0].where.rpartition(":")[0]), b"")
    else:
        source = read(path)
    scheduler = Scheduler()
    draft = Draft(source.path, lambda: machine_zone(os.environ), scheduler, Ending(source))
    with (
        _lock,
        uncollected(),
        _import_path(source.path, root, is_script=source.is_script),
        _modules(draft),
        standing_in(scheduler) as own,
        drafting(draft),
        chdir(os.curdir),
    ):
        names = run(source, draft.ending)
        adopt(own, names.values())
        if find_job is not None:
            draft.entries += filter(None, (entry_in_yaml(event, find_job) for event in declared))
        timetable = replace(draft.finish(), names=names, folder=Path.cwd())
    if not source.is_script:
        line = source.lost_under_guard(is_empty=not (timetable.events or timetable.synced))
        if line is not None:
            raise DeclarationError(
                f"{source.path}:{line}: code under `if __name__ == '__main__':` doesn't run here, "
                "so its events are lost; move your schedule above this line"
            )
    return timetable


@contextmanager
def _import_path(path: Path, root: Path | None, *, is_script: bool) -> Iterator[None]:
    before = sys.path[:]
    folder = path.resolve().parent
    if is_script and str(folder) not in sys.path:
        hides = (folder / "clock.py").exists() or (folder / "clock").is_dir()
        sys.path.insert(len(sys.path) if hides else 0, str(folder))  # first, as for `python FILE`
    add_application(path, root.resolve() if root else None)
    try:
        yield
    finally:
        sys.path[:] = before


@contextmanager
def _modules(draft: Draft) -> Iterator[None]:
    """Forget, afterwards, the modules that were imported in between and declared something."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in draft.modules - before:
            module = sys.modules.pop(name, None)
            package = sys.modules.get(name.rpartition(".")[0])
            if vars(package or object).get(name.rpartition(".")[2]) is module is not None:
                delattr(package, name.rpartition(".")[2])


def make_importable(timetable: Timetable) -> None:
    """Make the clock file's module importable by its name in this process and in those that it starts."""
    name = str(timetable.names["__name__"])
    module = ModuleType(name)
    vars(module).update(timetable.names)
    sys.modules[name] = module
    os.environ[_SPAWNED_FILE] = str(timetable.names["__file__"])  # the file may change the current folder
    if str(_STUB) not in sys.path:
        sys.path.append(str(_STUB))


def names_again() -> Mapping[str, object]:
    """The names that the clock file defines, for the stub. Raises DeclarationError."""
    return load(os.environ[_SPAWNED_FILE]).names
