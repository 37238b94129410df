"""What is published beside the package: workflows, units, Kubernetes objects, the image, the wheel."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from clock import __version__

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def workflow(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_of_a_workflow_is_pinned_and_names_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())

    assert used
    assert [
        each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    ] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_permission_that_a_job_does_not_name(path: Path) -> None:
    found = workflow(path)

    assert found["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in found["jobs"].values())


def test_the_tests_run_on_each_supported_version() -> None:
    jobs = workflow(ROOT / ".github/workflows/tests.yml")["jobs"]
    policy = (ROOT / "docs/versions.md").read_text()

    assert jobs["python"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert "| Python | 3.11 to 3.14." in policy
    servers = jobs["server"]["strategy"]["matrix"]["server"]
    assert [server for server in servers if server in ("redis:6.2", "redis:8")] == ["redis:6.2", "redis:8"]
    assert "| Redis | 6.2 to 8 |" in policy
    assert [servers[4], servers[-1]] == ["valkey/valkey:7.2", "valkey/valkey:9"]
    assert "| Valkey | 7.2 to 9 |" in policy


@pytest.mark.parametrize("name", ["clock.service", "clock-worker@.service"])
def test_the_guide_shows_the_units_as_they_are(name: str) -> None:
    unit = (ROOT / "packaging/systemd" / name).read_text()

    assert f"```ini\n{unit}```" in (ROOT / "docs/deploying.md").read_text()
    assert "Type=notify\n" in unit


@pytest.mark.parametrize("name", ["clock", "worker"])
def test_the_probes_of_a_deployment_ask_the_health_port(name: str) -> None:
    [container] = yaml.safe_load((ROOT / f"packaging/kubernetes/{name}.yaml").read_text())["spec"]["template"][
        "spec"
    ]["containers"]

    assert container["args"][-4:] == ["--health-port", "9100", "--health-host", "0.0.0.0"]  # noqa: S104  # a container needs it
    assert container["ports"] == [{"name": "health", "containerPort": 9100}]
    probes = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe: found["path"] for probe, found in probes.items()} == {
        "startupProbe": "/live",
        "livenessProbe": "/live",
        "readinessProbe": "/ready",
    }
    assert {found["port"] for found in probes.values()} == {"health"}


def test_the_kustomization_names_the_files_and_the_image_that_they_use() -> None:
    folder = ROOT / "packaging/kubernetes"
    base = yaml.safe_load((folder / "kustomization.yaml").read_text())

    assert {path.name for path in folder.glob("*.yaml")} == {"kustomization.yaml", *base["resources"]}
    for name in base["resources"]:
        assert f"image: {base['images'][0]['name']}\n" in (folder / name).read_text()


def test_the_image_copies_only_what_is_there() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {"clock", "lib", "jobs", "pyproject.toml"} <= set(copied)


def test_the_files_for_editors_and_issues_are_well_formed() -> None:
    assert json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())["postCreateCommand"]
    for form in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(form.read_text())


def test_the_changelog_starts_with_this_version_or_with_what_comes_after_it() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]

    assert released[0].split()[0] == __version__
    assert "Unreleased" not in headings[1:]


@pytest.mark.process
@pytest.mark.slow
def test_two_builds_of_the_wheel_are_equal(tmp_path: Path) -> None:
    wheels = []
    for number, umask in enumerate((0o022, 0o077)):
        out = tmp_path / str(number)
        command = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(out), str(ROOT)]
        subprocess.run(
            command, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}, check=True, timeout=300, umask=umask
        )
        wheels += [path.read_bytes() for path in out.glob("*.whl")]

    assert len(wheels) == 2
    assert wheels[0] == wheels[1]
