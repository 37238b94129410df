"""What users install: the wheel, and the Procfile of an application."""

import os
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.process.conftest import App, Running

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_the_wheel_holds_the_package_alone_and_works_in_an_empty_environment(
    repository: Path, tmp_path: Path
) -> None:
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--installer",
            "uv",
            "--outdir",
            str(tmp_path),
            str(repository),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("clockd-*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].partition("-")[0] for name in names} == {
        "clock",
        "clockd",
        "_clock_pytest.py",
    }
    assert "clock/py.typed" in names
    assert "clock/store/lua/events/fire.lua" in names

    home = tmp_path / "empty"
    venv.create(home)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    installed = subprocess.run([*install, wheel], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    clock, clockd = [home / "bin" / "clock"], [home / "bin" / "clockd"]
    for command in (clock, clockd, [python, "-m", "clock"], [python, "-m", "clockd"]):
        asked = subprocess.run([*command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert asked.returncode == 0, asked.stderr
        assert "python -m clock worker" in asked.stdout

    (tmp_path / "test_it.py").write_text("def test_it(): pass")
    subprocess.run([*install, "pytest"], check=True, capture_output=True)
    for imported in ("pytest", "clock, pytest"):  # where it was imported before pytest, it must not be rewritten
        program = f"import {imported}; raise SystemExit(pytest.main(['-q', '-W', 'error', 'test_it.py']))"
        tested = subprocess.run(
            [home / "bin" / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_procfile_runs_as_it_stands(sample: App, repository: Path) -> None:
    shutil.copy(repository / "Procfile", sample.folder)
    programs = Path(sys.executable).parent
    environ = {**sample.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}

    patient = "import honcho.manager as m; m.KILL_WAIT = 60; from honcho.command import main; main()"  # not 5 s
    honcho = Running(
        subprocess.Popen(
            [sys.executable, "-c", patient, "start"],
            cwd=sample.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    )
    honcho.wait_for("Starting clock for 4 events")
    honcho.wait_for("Starting worker")

    honcho.end(signal.SIGTERM)
    assert honcho.output.count("Stopped") == 2, honcho.output
