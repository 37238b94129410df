"""Every example of the guides to jobs runs, from the top of each guide to its end."""

import contextvars
import doctest
import inspect
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import pytest
from redis import Redis

from clock.job import registry
from clock.job.encryption import VARIABLE, new_key
from clock.job.options import CallOptions
from clock.job.push import client
from clock.rehearsal.job_modes import Mode
from clock.testing import inline
from tests.job.django_here import transaction
from tests.job.redis_rows import delayed, waiting

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def guide(redis: Redis) -> Iterator[Callable[..., ModuleType]]:
    """Runs the examples of a guide, with these names for what a reader has himself, and gives their module."""
    assert transaction  # Django is set up
    known, carrier = dict(registry._classes), client.carrier()

    def run(name: str, **names: object) -> ModuleType:
        registry._classes.clear()  # the guides' classes have names that tests use, too
        module = ModuleType(name)
        vars(module).update(names)
        text = (DOCS / f"{name}.md").read_text()
        for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            line = text[: block.start(1)].count("\n")
            if block[1].startswith(">>>"):
                _check_console(block[1], vars(module), name, line)
            else:
                exec(compile("\n" * line + block[1], str(DOCS / f"{name}.md"), "exec"), vars(module))  # noqa: S102  # the guide's own
        return module

    yield run
    registry._classes.clear()
    registry._classes.update(known)
    Mode(carrier)  # with its key: a test that ends no mode leaves both


def _check_console(source: str, names: dict[str, Any], name: str, line: int) -> None:
    test = doctest.DocTestParser().get_doctest(source, names, name, name, line)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert said == [], "".join(said)


def test_the_examples_of_the_guide_to_jobs_run(guide: Callable[..., ModuleType], redis: Redis) -> None:
    tenant = contextvars.ContextVar[object]("tenant", default="school")
    charges: list[object] = []

    def charge(amount: int, idempotency_key: str) -> str:
        charges.append((amount, idempotency_key))
        return "receipt"

    examples = guide(
        "jobs",
        orders={3: {"amount": 100}},
        charge=charge,
        cards={},
        bank=SimpleNamespace(),
        alarm=charges.append,
        current_tenant=tenant,
        closed_tenants=(),
    )

    rows = waiting(redis, "mail")
    assert rows[0]["jid"] == examples.jid
    assert len(rows) == 1 + 1 + 5_000 + 1 + 1 + 1
    assert waiting(redis, "urgent")[0]["retry"] is False
    assert len(delayed(redis)) == 1 + 1 + 2 + 2 + 599
    assert waiting(redis, "ruby")[0]["class"] == "Billing::SettleInvoiceJob"
    assert waiting(redis, "ruby")[0]["tenant"] == "school"


def test_what_the_guide_to_jobs_says_of_its_examples_is_so(guide: Callable[..., ModuleType]) -> None:
    charges: list[object] = []

    def charge(amount: int, idempotency_key: str) -> str:
        charges.append(amount)
        return "receipt"

    names = {"orders": {3: {"amount": 100}}, "charge": charge, "cards": {}, "bank": None, "alarm": charges.append}
    names["closed_tenants"] = ()
    examples = guide("jobs", **names, current_tenant=contextvars.ContextVar[object]("tenant", default=None))

    for _ in range(2):
        examples.ChargeOrderJob.perform_inline(3)
    assert charges == [100]
    assert examples.ChargeCardJob.perform_inline(9) is None  # discarded
    assert issubclass(examples.SendNoticeJob, examples.SendReminderJob)
    assert examples.SendNoticeJob.queue == "mail"
    hook = examples.ChargeCardJob()
    assert hook.retry_in(0, PermissionError()) == "kill"
    assert inspect.iscoroutinefunction(examples.FetchFeedJob.perform)


def test_the_examples_of_the_guide_to_testing_jobs_run(guide: Callable[..., ModuleType]) -> None:
    examples = guide("testing-jobs")

    for name, test in inspect.getmembers(examples, inspect.isfunction):
        if name.startswith("test_"):
            with examples.fake():
                test()


def test_the_examples_of_the_guide_to_encryption_run(
    guide: Callable[..., ModuleType], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, new_key())
    opened: list[object] = []

    examples = guide("encryption", bank=SimpleNamespace(open_account=lambda *args: opened.append(args)))

    [row] = waiting(redis, "default")
    assert row["args"][0] == 7
    assert row["args"][1].startswith("v1:")
    examples.OpenAccountJob.perform_inline(7, {"ssn": "1"})
    assert opened == [(7, "1")]


class _ActiveUsers(list[SimpleNamespace]):
    """A queryset as far as it is used: users in the order of their keys, which `async for` reads."""

    def order_by(self, _name: str) -> "_ActiveUsers":
        return self

    def __getitem__(self, part: Any) -> Any:
        return _ActiveUsers(super().__getitem__(part))

    async def __aiter__(self) -> AsyncIterator[SimpleNamespace]:
        for user in self:
            yield user


def test_the_examples_of_the_guide_to_iteration_run(guide: Callable[..., ModuleType], redis: Redis) -> None:
    users = {1: "Ada", 2: "Bob", 3: "Cy"}
    normalized: list[str] = []
    classified: list[str] = []

    async def classify(name: str) -> None:
        classified.append(name)

    examples = guide(
        "iteration",
        users_after=lambda after, shard: ((key, name) for key, name in users.items() if key > after),
        normalize=normalized.append,
        number_of_users=lambda shard: len(users),
        subscriber_ids=lambda: [7, 8],
        active_users=lambda: _ActiveUsers(SimpleNamespace(pk=key, name=name) for key, name in users.items()),
        classify=classify,
    )

    assert [row["class"] for row in waiting(redis, "default")] == ["BackfillUsersJob", "SendDigestJob"]
    examples.BackfillUsersJob.perform_inline(3)
    assert normalized == ["Ada", "Bob", "Cy"]
    examples.ClassifyUsersJob.perform_inline()
    assert classified == ["Ada", "Bob", "Cy"]
    examples.SendDigestJob.perform_inline()
    assert [row["args"] for row in waiting(redis, "default")[2:]] == [[7], [8]]


def test_the_examples_of_the_guide_to_results_run(guide: Callable[..., ModuleType], redis: Redis) -> None:
    rows = {3: ["a"]}

    with inline():
        examples = guide("results", rows_of=rows.__getitem__, render=len)

    assert examples.pages == 1


def test_the_examples_of_the_guide_to_unique_jobs_run(guide: Callable[..., ModuleType], redis: Redis) -> None:
    examples = guide("unique", rebuild=len, save=len)

    assert examples.first == examples.second
    assert len(waiting(redis)) == 2
    assert len(delayed(redis)) == 2  # the first draft is dropped when a worker claims it


def test_the_examples_of_the_guide_to_batches_run(guide: Callable[..., ModuleType], redis: Redis) -> None:
    saved: list[int] = []
    sent: list[int] = []

    with inline():
        guide("batches", save=lambda report, row: saved.append(row), send=sent.append)

    assert saved == [0, 1, 2] * 3
    assert sent == [7, 7, 7]


GUIDES = ["jobs", "testing-jobs", "encryption", "iteration", "results", "unique", "batches"]


@pytest.mark.parametrize("name", GUIDES)
def test_the_pages_that_are_linked_to_are_there(name: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)", (DOCS / f"{name}.md").read_text()):
        assert (DOCS / os.fspath(link)).exists(), link


OF_A_CALL = {"wait", "wait_until", "jid", "at_front", "durable", "fields", "log_level", "then"}


def test_the_guide_tells_of_every_option() -> None:
    table, _, of_a_call = (DOCS / "jobs.md").read_text().partition("## Options")[2].partition("For one push")
    of_a_call = of_a_call.partition("```")[0]

    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))

    assert all(f"`{name}`" in of_a_call for name in OF_A_CALL)
    assert told == set(get_type_hints(CallOptions)) - OF_A_CALL | {"wire_name"}
