import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from clock.timetable import Timetable, load
from clock.timetable.clock_file.loading.loader import make_importable, names_again

FILE = """
from clock import every

def double(n):
    return 2 * n

every().day.at("06:00").do(double, 1)
"""


@pytest.fixture
def timetable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Timetable]:
    path = tmp_path / "clock.py"
    path.write_text(FILE)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv("CLOCK_SPAWNED_FILE", "")
    timetable = load(path)
    yield timetable
    sys.modules.pop("__clock_file__", None)


def test_a_function_of_the_clock_file_can_be_pickled_while_a_clock_runs_it(timetable: Timetable) -> None:
    make_importable(timetable)

    assert pickle.loads(pickle.dumps(timetable.names["double"])) is timetable.names["double"]  # noqa: S301  # its own


def test_a_new_process_finds_the_stub_once_on_its_import_path(timetable: Timetable) -> None:
    before = sys.path[:]

    make_importable(timetable)
    make_importable(timetable)

    [stub] = sys.path[len(before) :]
    assert (Path(stub) / "__clock_file__.py").is_file()


def test_a_new_process_finds_a_clock_file_that_changes_the_current_folder(
    timetable: Timetable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Path("clock.py").write_text(f"{FILE}\nimport os\nos.chdir({str(elsewhere)!r})\n")

    loaded = load("clock.py")
    monkeypatch.chdir(loaded.folder)
    make_importable(loaded)

    assert Path.cwd() == elsewhere
    assert names_again()["double"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_begins_anew_finds_the_functions_of_the_clock_file(
    timetable: Timetable, method: str
) -> None:
    make_importable(timetable)
    double: Any = timetable.names["double"]

    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        assert pool.submit(double, 21).result(60) == 42
