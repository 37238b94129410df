"""`--reload`: which files are watched. Real processes are restarted in tests/process."""

from pathlib import Path

from clock.cli import reloading


def test_python_and_yaml_files_are_watched_also_one_that_is_deleted_at_this_moment(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    for name in ("clock.py", "events.yml", "notes.txt", ".venv/lib.py"):
        (tmp_path / name).touch()
    (tmp_path / "gone.py").symlink_to("nowhere")

    found = dict(reloading._files(tmp_path))

    assert found.keys() == {"clock.py", "events.yml", "gone.py"}
    assert found["gone.py"] == 0
