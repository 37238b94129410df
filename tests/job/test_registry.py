from pathlib import Path

import pytest

from clock.errors import ConfigurationError
from clock.job.registry import import_jobs


def test_a_folder_that_another_package_hides_is_told_with_where_that_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding, mine = tmp_path / "site" / "hidden_jobs", tmp_path / "app" / "hidden_jobs"
    for folder in (hiding, mine):
        folder.mkdir(parents=True)
    (hiding / "__init__.py").touch()
    (mine / "send_note_job.py").touch()
    monkeypatch.syspath_prepend(hiding.parent)  # which also puts the path back as it was

    with pytest.raises(ConfigurationError) as error:
        import_jobs(Path("hidden_jobs"), root=mine.parent)

    assert str(error.value) == (
        f"{mine / 'send_note_job.py'}: the package hidden_jobs of {hiding / '__init__.py'} hides it; "
        "put an __init__.py into the folder hidden_jobs, or call it otherwise"
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "\n\nclass AJob(Job):\n    qeue = 'x'\n",
            ":4: AJob: there is no option 'qeue'; did you mean 'queue'?",
        ),
        ("1 / 0\n", ":2: ZeroDivisionError: division by zero"),
        ("import nosuch_module\n", ":2: ModuleNotFoundError: No module named 'nosuch_module'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)  # which also puts the path back as it was
    folder = tmp_path / "broken_jobs"
    folder.mkdir()
    (folder / "a_job.py").write_text("from clock import Job\n" + code)

    with pytest.raises(ConfigurationError) as error:
        import_jobs(Path("broken_jobs"), root=tmp_path)

    assert str(error.value) == f"{folder / 'a_job.py'}{told}"
