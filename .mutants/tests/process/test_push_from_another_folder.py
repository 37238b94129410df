import pytest

from tests.process.conftest import App

pytestmark = pytest.mark.process

PUSH = "from clock import Job\nclass WorkJob(Job):\n    def perform(self): ...\nWorkJob.perform_async()"


def test_a_push_from_a_folder_without_an_application_names_the_folder(app: App) -> None:
    first, second = app.run("-c", PUSH), app.run("-c", PUSH)

    for pushed in (first, second):
        assert pushed.returncode == 0
        assert (
            f"Pushing to the embedded Valkey of {app.folder}, which has no clock file, jobs or worker"
            in pushed.stderr
        )
        assert "set REDIS_URL, or start both in one folder" in pushed.stderr


def test_a_push_from_the_applications_folder_is_not_mentioned(app: App) -> None:
    app.write("jobs/__init__.py", "")

    pushed = app.run("-c", PUSH)

    assert (pushed.returncode, pushed.stderr) == (0, "")
