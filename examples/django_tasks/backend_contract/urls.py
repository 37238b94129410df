"""Pages that enqueue a task, and show a result."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from backend_contract import tasks
from clock.django.framework import TaskResult

try:
    from django.tasks import default_task_backend
except ImportError:
    from django_tasks import default_task_backend


def shown(result: TaskResult) -> JsonResponse:
    return JsonResponse(
        {"id": result.id, "status": result.status, "value": result.return_value if result.is_finished else None}
    )


def enqueue(request: HttpRequest) -> JsonResponse:
    return shown(tasks.answer.enqueue())


async def aenqueue(request: HttpRequest) -> JsonResponse:
    return shown(await tasks.answer.aenqueue())


def show(request: HttpRequest, result_id: str) -> JsonResponse:
    return shown(default_task_backend.get_result(result_id))


urlpatterns = [path("enqueue", enqueue), path("aenqueue", aenqueue), path("results/<str:result_id>", show)]
