import sys
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
        "put an __init__.py into the folder hidden_jobs, or rename it"
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "\n\nclass AJob(Job):\n    qeue = 'x'\n",
            ":4: AJob: unknown option 'qeue'; did you mean 'queue'? "
            "To add your own attribute, choose a name less similar to an option",
        ),
        ("1 / 0\n", ":2: ZeroDivisionError: division by zero"),
        (
            "class Odd(BaseException):\n    def __str__(self): raise SystemExit\nraise Odd\n",
            ":4: Odd: (its message cannot be read: SystemExit)",
        ),
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


def test_the_missing_tasks_of_an_old_django_are_answered_with_the_package(tmp_path: Path) -> None:
    (tmp_path / "tasks_of_old_django.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'django.tasks'\", name='django.tasks')\n"
    )

    with pytest.raises(ConfigurationError) as refused:
        import_jobs(Path("tasks_of_old_django.py"), root=tmp_path)

    assert str(refused.value).endswith(
        "No module named 'django.tasks'; with Django before 6: pip install django-tasks, "
        "and import from django_tasks"
    )


def test_a_file_that_does_not_hold_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts").touch()

    with pytest.raises(ConfigurationError, match=r"hosts is not a Python file; give a folder of jobs"):
        import_jobs(Path("hosts"), root=tmp_path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of jobs with one module, `real_job`."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / f"jobs_{tmp_path.name}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "real_job.py").touch()
    return folder


BROKEN = "raise RuntimeError('this file must not be imported')\n"


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/send_job-checkpoint.py",
        "._real_job.py",
        ".#real_job.py",
        ".venv/lib/python3.11/site-packages/thing.py",
        "venv/lib/thing.py",
        "__pycache__/real_job.py",
        "node_modules/node-gyp/gyp_main.py",
        "real_job.bak.py",
        "v1.2/old_job.py",
    ],
)
def test_what_editors_notebooks_and_environments_leave_is_not_imported(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(BROKEN)
    if name.startswith("venv"):
        (folder / "venv" / "pyvenv.cfg").touch()

    assert import_jobs(folder, root=folder.parent) == [folder.name, f"{folder.name}.real_job"]


def test_links_are_followed_and_each_file_is_imported_once(folder: Path, tmp_path: Path) -> None:
    (folder / "gone_job.py").symlink_to(tmp_path / "nowhere.py")
    (folder / "again_job.py").symlink_to(folder / "real_job.py")
    (folder / "loop").symlink_to(folder)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "shared_job.py").touch()
    (folder / "billing").symlink_to(shared)

    assert import_jobs(folder, root=folder.parent) == [
        folder.name,
        f"{folder.name}.billing.shared_job",
        f"{folder.name}.real_job",
    ]


def test_several_folders_and_single_files_may_be_given(folder: Path) -> None:
    other = folder.parent / f"other_{folder.name}"
    other.mkdir()
    (other / "other_job.py").touch()
    (other / "unwanted_job.py").write_text(BROKEN)

    names = import_jobs(folder, other / "other_job.py", root=folder.parent)

    assert names == [folder.name, f"{folder.name}.real_job", f"{other.name}.other_job"]


@pytest.mark.parametrize("given", ["...", "....", "missing/...", "missing"])
def test_a_missing_path_without_a_similar_module_is_answered_with_the_option(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^no jobs folder .*; give another one with -r$"):
        import_jobs(Path(given), root=tmp_path)


@pytest.mark.parametrize(
    ("given", "near"),
    [("main", "main.py"), ("shop.jobs", "shop/jobs"), ("shop.jobs.mail", "shop/jobs/mail.py")],
)
def test_the_name_of_a_module_instead_of_its_path_is_answered_with_the_path(
    tmp_path: Path, given: str, near: str
) -> None:
    (tmp_path / "shop" / "jobs").mkdir(parents=True)
    (tmp_path / "shop" / "jobs" / "mail.py").touch()
    (tmp_path / "main.py").touch()

    with pytest.raises(ConfigurationError, match=rf"no jobs folder .*{given}; did you mean {near}\?$"):
        import_jobs(Path(given), root=tmp_path)


def test_a_file_outside_of_the_applications_folder_is_imported_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"outside_job_{tmp_path.name}"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{name}.py").touch()
    (tmp_path / "application").mkdir()

    assert import_jobs(Path("../elsewhere") / f"{name}.py", root=tmp_path / "application") == [name]


def test_ctrl_c_while_jobs_are_imported_stops_the_program(folder: Path) -> None:
    (folder / "slow_job.py").write_text("raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        import_jobs(folder, root=folder.parent)
