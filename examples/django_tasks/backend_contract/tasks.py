"""Tasks for the tests of the backend."""

try:
    from django.tasks import TaskContext, task
except ImportError:
    from django_tasks import TaskContext, task


@task()
def nothing(*args: object, **kwargs: object) -> None: ...


@task
def nothing_bare(*args: object, **kwargs: object) -> None: ...


@task()
async def nothing_async(*args: object, **kwargs: object) -> None: ...


@task()
def answer() -> int:
    return 42


@task()
def value_error() -> None:
    raise ValueError("on purpose: ValueError")


@task()
def system_exit() -> None:
    raise SystemExit("on purpose: SystemExit")


@task()
def keyboard_interrupt() -> None:
    raise KeyboardInterrupt("on purpose")


@task()
def exits() -> None:
    exit(1)  # what a careless task writes


@task()
def nested_error() -> None:
    raise ValueError(ValueError("on purpose"))


@task()
def unserializable() -> object:
    return nothing_async


@task()
def returns_bytes() -> object:
    return {"name": b"caf\xc3\xa9", "pair": (1, 2)}


@task(takes_context=True)
def own_id(context: TaskContext) -> str:
    return str(context.task_result.id)


@task(takes_context=True)
def check_context(context: TaskContext, attempt: int) -> None:
    assert isinstance(context, TaskContext)
    assert context.attempt == attempt
