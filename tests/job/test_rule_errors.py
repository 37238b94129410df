"""Wrong inputs of unique, limits, rates, batches, iteration and results: one sentence names each mistake."""

import inspect
import re
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Any, ClassVar

import pytest
from redis import Redis

import clock
from clock import Batch, IterableJob, Job, Limit, Rate, RateLimited, Unique, api, job
from clock.errors import ClockError, DeclarationError, JobError
from clock.job import registry
from clock.timetable.clock_file.rows.database_rows import read_rows
from clock.timetable.timetable import Settings, SyncedEvents


class OneArgumentJob(Job):
    def perform(self, account: int) -> None: ...


@contextmanager
def classes_forgotten() -> Iterator[None]:
    before = dict(registry._classes)
    yield
    registry._classes.clear()
    registry._classes.update(before)


NAME = "it must be a text of 1 to 200 characters without control characters"
WHOLE = "it must be a whole number, 1 to 1,000,000,000"
SPAN = "it must be a timedelta or seconds, 0.001 to a year"

#: The rule, or another object -> the start of the error.
CALLS = {
    "Limit('crm', max=25)": "Limit: unknown argument 'max'; did you mean 'maximum'?",
    "Limit('crm', maximim=3)": "Limit: unknown argument 'maximim'; did you mean 'maximum'?",
    "Limit('crm', 3, per=60)": "Limit: unknown argument 'per'; it takes name, maximum",
    "Limit('crm', 3, window=True)": "Limit: unknown argument 'window'; it takes name, maximum",
    "Limit()": "Limit: name is missing; it takes name, maximum",
    "Limit('crm')": "Limit: maximum is missing; it takes name, maximum",
    "Limit('crm', 25, 3)": "Limit: argument 3, 3, is one too many; it takes name, maximum",
    "Limit('crm', 25, name='crm')": "Limit: name is given twice",
    "Limit(25, 'crm')": f"Limit: the name is 25; {NAME}, or a function that returns it",
    "Limit('crm', '25')": f"Limit: maximum is '25'; {WHOLE}",
    "Limit('crm', 0)": f"Limit: maximum is 0; {WHOLE}",
    "Limit('crm', -1)": f"Limit: maximum is -1; {WHOLE}",
    "Limit('crm', 1.5)": f"Limit: maximum is 1.5; {WHOLE}",
    "Limit('crm', True)": f"Limit: maximum is True; {WHOLE}",
    "Limit('crm', None)": f"Limit: maximum is None; {WHOLE}",
    "Limit('crm', 10**12)": f"Limit: maximum is 1000000000000; {WHOLE}",
    "Limit('', 3)": f"Limit: the name is ''; {NAME}",
    "Limit(None, 3)": f"Limit: the name is None; {NAME}",
    "Limit(['crm'], 3)": f"Limit: the name is ['crm']; {NAME}",
    r"Limit('a\nb', 3)": rf"Limit: the name is 'a\nb'; {NAME}",
    "Limit('x' * 201, 3)": "Limit: the name is 'xxx",
    "Rate('mail', 100, every=60)": "Rate: unknown argument 'every'; it takes name, count, per, window, weight",
    "Rate('mail', 100, per=60, wieght=2)": "Rate: unknown argument 'wieght'; did you mean 'weight'?",
    "Rate('mail', 100)": "Rate: per is missing; it takes name, count, per, window, weight",
    "Rate('mail', per=60)": "Rate: count is missing; it takes name, count, per, window, weight",
    "Rate('mail', 100, per='minute')": f"Rate: per is 'minute'; {SPAN}",
    "Rate('mail', 100, per=0)": f"Rate: per is 0; {SPAN}",
    "Rate('mail', 100, per=-1)": f"Rate: per is -1; {SPAN}",
    "Rate('mail', 100, per=True)": f"Rate: per is True; {SPAN}",
    "Rate('mail', 100, per=float('nan'))": f"Rate: per is nan; {SPAN}",
    "Rate('mail', 100, per=timedelta(days=400))": f"Rate: per is datetime.timedelta(days=400); {SPAN}",
    "Rate('mail', 0, per=60)": f"Rate: count is 0; {WHOLE}",
    "Rate('mail', '100', per=60)": f"Rate: count is '100'; {WHOLE}",
    "Rate(5, 100, per=60)": f"Rate: the name is 5; {NAME}",
    "Rate('mail', 100, per=60, window='yes')": "Rate: window is 'yes'; it must be True or False",
    "Rate('mail', 100, per=60, weight=0)": "Rate: weight is 0; it must be a whole number, 1 to 100",
    "Rate('mail', 100, per=60, weight=101)": "Rate: weight is 101; it must be a whole number, 1 to 100",
    "Rate('mail', 9999, per=60, window=True, weight=101)": "Rate: weight is 101; it must be a whole number, "
    "1 to 100 with window=True",
    "Rate('mail', 10**5000, per=60)": "Rate: count is <int>;",
    "Unique(window=10**5000)": "Unique: window is <int>;",
    "Unique(by='a', untl='done')": "Unique: unknown argument 'untl'; did you mean 'until'?",
    "Unique(ttl=60)": "Unique: unknown argument 'ttl'; it takes by, until, on_conflict, window",
    "Unique(by=5)": "Unique: by is 5; it must be a function or names of perform's parameters",
    "Unique(by=[1])": "Unique: by is [1]; it must be a function or names of perform's parameters",
    "Unique(by={'a': 1})": "Unique: by is {'a': 1}; it must be a function or names of perform's parameters",
    "Unique(until='finish')": "Unique: until is 'finish'; it must be one of 'start', 'done'",
    "Unique(until=None)": "Unique: until is None; it must be one of 'start', 'done'",
    "Unique(on_conflict='reject')": "Unique: on_conflict is 'reject'; it must be one of 'skip', "
    "'replace', 'raise'",
    "Unique(window='1h')": f"Unique: window is '1h'; {SPAN}",
    "Unique(window=0)": f"Unique: window is 0; {SPAN}",
    "Unique(window=True)": f"Unique: window is True; {SPAN}",
    "Batch('x')": "Batch: argument 1, 'x', is one too many; it takes on_success",
    "Batch(on_sucess=One)": "Batch: unknown argument 'on_sucess'; did you mean 'on_success'?",
    "Batch(on_success='OneJob')": "Batch: 'OneJob' is not a callback; give a job class, "
    "SomeJob.set(...) or a signature",
    "Batch(on_success=print)": "Batch: <built-in function print> is not a callback; give a job class",
    "Batch(on_success=One, args=5)": "Batch: args is 5; it must be a list of the arguments of the callbacks",
    "Batch(on_success=One, args='7')": "Batch: args is '7'; it must be a list of the arguments of the callbacks",
    "Batch(on_success=One, args=[1, 2])": "OneArgumentJob: perform(account: int) cannot take 2 arguments",
    "Batch(id='a b')": "Batch: id is 'a b'; it must be 1 to 100 letters, digits and _.:-",
    "Batch(id=5)": "Batch: id is 5; it must be 1 to 100 letters, digits and _.:-",
    "Batch(parent=5)": "Batch: parent is 5; it must be a batch, or the id of a batch",
    "Batch(parent='')": "Batch: parent is ''; it must be a batch, or the id of a batch",
    "Batch(description=5)": "Batch: description is 5; it must be a text",
    "One.set(limit=Limit('a', 1))": "OneArgumentJob.set: unknown option 'limit'; did you mean 'limits'?",
    "One.set(limits='crm')": "OneArgumentJob.set: limits is 'crm'; it must be Limit(...), a list of them",
    "One.set(limits=Rate('a', 1, per=1))": "OneArgumentJob.set: limits is Rate('a', 1, per=1",
    "One.set(limits=[Limit('a', 1), Limit('a', 2)])": "OneArgumentJob.set: limits is [Limit('a', 1), "
    "Limit('a', 2)]; it must be Limit(...), a list of them with different names, or None",
    "One.set(limits=Limit(lambda a, b: a, 2))": "OneArgumentJob.set: Limit: name: the function accepts 2 "
    "arguments; it gets those of perform: account",
    "One.set(rates=Limit('a', 1))": "OneArgumentJob.set: rates is Limit('a', 1); it must be Rate(...)",
    "One.set(unique='yes')": "OneArgumentJob.set: unique is 'yes'; it must be True, False, None, or Unique(...)",
    "One.set(unique=Unique)": "OneArgumentJob.set: unique is <class",
    "One.set(unique=Unique(by='acount'))": "OneArgumentJob.set: unique names the parameter 'acount'; "
    "did you mean 'account'?",
    "One.set(unique=Unique(by=['account', 'x']))": "OneArgumentJob.set: unique names the parameter 'x'; "
    "perform takes account",
    "One.set(exactly_once=True)": "OneArgumentJob.set: exactly_once is an option of IterableJob",
    "One.set(max_run_time=60)": "OneArgumentJob.set: max_run_time is an option of IterableJob, which this job is "
    "not; for a time limit use timeout",
    "One.set(result_ttl='1h')": "OneArgumentJob.set: result_ttl is '1h'; it must be seconds above 0",
    "One.set(then=One)": "OneArgumentJob.set: then is <class",
    "One.set(then='One')": "OneArgumentJob.set: then is 'One'; it must be SomeJob.signature(...)",
    "One.set(then=One.signature())": "OneArgumentJob: perform(account: int) cannot take 0 arguments",
    "JobResult(5)": "JobResult: the jid is 5; it must be a text, as perform_async returns it",
    "JobResult('x').get(timeout='5')": "JobResult: timeout is '5'; it must be seconds, or None",
    "JobResult('x').get(timeout=float('nan'))": "JobResult: timeout is nan; it must be seconds, or None",
    "api.JobRef(5)": "the jid is 5; it must be a text, as perform_async returns it",
    "api.BatchRef(None)": "the id of the batch is None; it must be a text, as batch.bid has it",
    "api.BatchRef('x').failures(-1)": "limit is -1; it must be a whole number, 0 or more",
    "api.Limits().set_maximum('crm', -1)": "maximum is -1; it must be a whole number, 0 to 1,000,000,000",
    "api.Limits().set_maximum('crm', '5')": "maximum is '5'; it must be a whole number, 0 to 1,000,000,000",
    "api.Limits().set_maximum('', 5)": f"Limit: the name is ''; {NAME}",
    "api.Limits().set_maximum(Limit('crm', 5), 5)": "Limit: the name is Limit('crm', 5); it must be a text",
    "api.Limits().reset(5)": f"Limit: the name is 5; {NAME}",
}

#: A class, or a function, after its options and the parameters of its `perform` -> the end of the error.
DECLARED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a misspelt parameter": ({"unique": Unique(by="acount")}, "account", "'acount'; did you mean 'account'?"),
    "one of two parameters": (
        {"unique": Unique(by=["a", "regoin"])},
        "a, region",
        "'regoin'; did you mean 'region'?",
    ),
    "no parameter": ({"unique": Unique(by="account")}, "", "'account'; perform takes no argument"),
    "self": ({"unique": Unique(by="self")}, "account", "'self'; perform takes account"),
    "an empty name": ({"unique": Unique(by="")}, "account", "''; perform takes account"),
    "a function for by": (
        {"unique": Unique(by=lambda a: a)},
        "a, b",
        "unique's `by`: the function accepts 1 argument; it gets those of perform: a, b",
    ),
    "a function for a limit": (
        {"limits": [Limit("x", 1), Limit(lambda: "x", 1)]},
        "a",
        "Limit: name: the function accepts 0 arguments; it gets those of perform: a",
    ),
    "a function for a rate": (
        {"rates": Rate(lambda a, b, c=1: "x", 1, per=1)},
        "a",
        "Rate: name: the function accepts 2 to 3 arguments; it gets those of perform: a",
    ),
    "a function for a weight": (
        {"rates": Rate("x", 1, per=1, weight=lambda a, b, *c: 1)},
        "a",
        "Rate: weight: the function accepts 2 or more arguments; it gets those of perform: a",
    ),
    "a text for limits": ({"limits": "crm"}, "", "limits is 'crm'; it must be Limit(...), a list of them"),
    "a dict for limits": (
        {"limits": {"crm": 5}},
        "",
        "limits is {'crm': 5}; it must be Limit(...), a list of them",
    ),
    "the class Limit": (
        {"limits": Limit},
        "",
        "it must be Limit(...), a list of them with different names, or None",
    ),
    "a rate among limits": ({"limits": [Limit("a", 1), Rate("b", 1, per=1)]}, "", "it must be Limit(...), a list"),
    "a number for rates": ({"rates": [5]}, "", "rates is [5]; it must be Rate(...), a list of them"),
    "a text for unique": (
        {"unique": "args"},
        "",
        "unique is 'args'; it must be True, False, None, or Unique(...)",
    ),
    "the option limit": ({"limit": Limit("a", 1)}, "", "unknown option 'limit'; did you mean 'limits'?"),
    "the option rate": ({"rate": Rate("a", 1, per=1)}, "", "unknown option 'rate'; did you mean 'rates'?"),
    "the option uniqe": ({"uniqe": True}, "", "unknown option 'uniqe'; did you mean 'unique'?"),
    "exactly_once": (
        {"exactly_once": True},
        "",
        "exactly_once is an option of IterableJob, which this job is not",
    ),
    "max_run_time": ({"max_run_time": 60}, "", "IterableJob, which this job is not; for a time limit use timeout"),
    "encrypt": ({"encrypt": "yes"}, "a", "encrypt is 'yes'; it must be True or False"),
    "result_limit": ({"result_limit": 0}, "", "result_limit is 0; it must be a number of bytes"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_is_named(call: str, redis: Redis) -> None:
    names = {"One": OneArgumentJob, "timedelta": timedelta, "api": api}
    names |= {name: getattr(clock, name) for name in ("Batch", "JobResult", "Limit", "Rate", "Unique")}

    with pytest.raises(ClockError) as raised:
        eval(call, names)  # noqa: S307  # texts of this file

    assert str(raised.value).startswith(CALLS[call])
    assert "\n" not in str(raised.value)


class BatchOfTomorrow:
    @property
    def bid(self) -> str:
        raise TypeError("it has no id yet")


def test_an_error_of_an_arguments_own_code_is_not_reported_as_a_wrong_call() -> None:
    with pytest.raises(TypeError, match="it has no id yet"):
        Batch(parent=BatchOfTomorrow())


@pytest.mark.parametrize("mistake", DECLARED)
def test_a_wrong_option_is_named_when_a_class_or_a_function_is_made_a_job(mistake: str) -> None:
    options, parameters, message = DECLARED[mistake]
    perform: Any = eval(f"lambda self, {parameters}: None")  # noqa: S307
    function: Any = eval(f"lambda {parameters}: None")  # noqa: S307

    def make_function_job() -> None:
        made: Any = job(wire_name="wrong_rule", **options)
        made(function)

    with classes_forgotten():
        with pytest.raises(JobError) as of_class:
            type("WrongRuleJob", (Job,), {"perform": perform, **options})
        with pytest.raises(JobError) as of_function:
            make_function_job()

    for raised in (of_class, of_function):
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_batch_may_have_another_base_class_with_a_metaclass() -> None:
    class NamedBatch(Batch, ABC):
        pass

    with pytest.raises(JobError, match=r"NamedBatch: unknown argument 'om_success'; did you mean 'on_success'"):
        NamedBatch(om_success=OneArgumentJob)  # type: ignore[call-arg]  # the mistake
    assert "on_success" in inspect.signature(NamedBatch).parameters


def test_rules_that_fit_some_pushes_are_accepted() -> None:
    with classes_forgotten():

        class FittingRulesJob(Job):
            limits = (Limit(lambda a, b: f"{a}{b}", 1), Limit("{}".format, 1))
            rates = Rate(str, 1, per=1, weight=lambda *_: 1)
            unique = Unique(by=["a", "rest"])

            def perform(self, a: int, b: int = 2, *rest: int) -> None: ...

        assert FittingRulesJob.set(unique=Unique(by=[])).job is FittingRulesJob


def test_a_subclass_whose_perform_lacks_the_parameter_of_an_inherited_rule_is_named() -> None:
    with classes_forgotten():

        class WithAccountJob(Job):
            unique = Unique(by="account")

        with pytest.raises(JobError, match="WithoutAccountJob: unique names the parameter 'account'"):

            class WithoutAccountJob(WithAccountJob):
                def perform(self, user: int) -> None: ...


def test_a_base_class_with_any_arguments_may_name_a_parameter_of_its_subclasses(
    redis: Redis,
) -> None:
    with classes_forgotten():

        class AnyArgumentsJob(Job):
            unique = Unique(by="account")

            def perform(self, *args: Any) -> None: ...

        class SyncAnyAccountJob(AnyArgumentsJob):
            def perform(self, account: int) -> None: ...

        assert SyncAnyAccountJob.perform_async(7) == SyncAnyAccountJob.perform_async(7)
        with pytest.raises(JobError, match="AnyArgumentsJob: unique names the parameter 'account'"):
            AnyArgumentsJob.perform_async(7)


def test_options_of_iteration_may_be_in_a_mixin_for_iterable_jobs() -> None:
    with classes_forgotten():

        class OnceMixin(Job):
            exactly_once = True

        class OnceEachJob(OnceMixin, IterableJob):
            def items(self, *, cursor: int | None) -> Iterator[tuple[int, int]]:
                yield 1, 1

            def each(self, item: int) -> None: ...

        with pytest.raises(JobError, match="PlainOnceJob: exactly_once is an option of IterableJob"):

            class PlainOnceJob(OnceMixin):
                def perform(self) -> None: ...


def test_an_each_that_cannot_take_the_arguments_of_items_is_named() -> None:
    with classes_forgotten(), pytest.raises(JobError, match=r"def each\(self, item, shard\)"):

        class WrongEachJob(IterableJob):
            def items(self, shard: int, *, cursor: int | None) -> Iterator[tuple[int, int]]:
                yield 1, shard

            def each(self, item: int) -> None: ...


@pytest.mark.parametrize(("option", "value"), [("limits", "crm"), ("unique", "args"), ("rates", [5])])
def test_a_wrong_rule_that_is_set_after_the_class_was_made_is_named_by_the_next_push(
    option: str, value: Any, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    OneArgumentJob.perform_async(1)
    monkeypatch.setattr(OneArgumentJob, option, value)

    with pytest.raises(JobError, match=f"OneArgumentJob: {option} is"):
        OneArgumentJob.perform_async(2)


def test_a_wrong_rule_that_is_appended_to_the_rules_of_a_class_is_named_by_the_next_push(redis: Redis) -> None:
    with classes_forgotten():

        class GrowingRulesJob(Job):
            limits: ClassVar[list[Any]] = [Limit("crm", 1)]

            def perform(self) -> None: ...

        GrowingRulesJob.perform_async()
        GrowingRulesJob.limits.append("mail")

        with pytest.raises(JobError, match="GrowingRulesJob: limits is"):
            GrowingRulesJob.perform_async()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unique": Unique(by=lambda n: n["id"])}, "unique's `by` failed with TypeError"),
        ({"limits": Limit(lambda n: n, 1)}, "Limit: the name is 7; it must be a text"),
        (
            {"rates": Rate("r", 3, per=1, weight=lambda n: n)},
            "Rate: weight is 7; it must be a whole number, 1 to 3",
        ),
    ],
)
def test_a_rule_that_does_not_accept_the_arguments_of_an_event_is_named_when_the_event_is_declared(
    options: Any, words: str
) -> None:
    job = OneArgumentJob.set(**options)

    with pytest.raises(DeclarationError, match=re.escape(words)):
        loads_event(job)
    with pytest.raises(JobError, match=re.escape(words)):
        job.signature(7)
    OneArgumentJob.set(**options).set(unique=None, limits=None, rates=None).signature(7)


def test_a_rule_that_cannot_be_evaluated_now_does_not_keep_an_event_from_being_declared() -> None:
    job = OneArgumentJob.set(unique=Unique(by=owner_in_database))

    job.signature(7)
    with pytest.raises(JobError, match="failed with ConnectionError: the database does not answer"):
        job.perform_async(7)


@pytest.mark.parametrize(
    "options",
    [
        {"limits": Limit(lambda n: n["id"], 1)},
        {"rates": [Rate("all", 1, per=1), Rate(lambda n: n["id"], 1, per=1)]},
        {"limits": [Limit(lambda n: owner_in_database(n), 1), Limit(lambda n: n["id"], 1)]},
    ],
)
def test_a_rule_that_cannot_be_evaluated_now_does_not_hide_the_mistake_of_another_rule(options: Any) -> None:
    job = OneArgumentJob.set(unique=Unique(by=owner_in_database), **options)

    with pytest.raises(JobError, match=r"(Limit|Rate): name: the function failed with TypeError"):
        job.signature(7)


def owner_in_database(n: int) -> str:
    raise ConnectionError("the database does not answer")


def loads_event(job: Any) -> None:
    row = {"name": "polish", "every": 60, "args": [7]}
    [error] = read_rows(
        SyncedEvents(lambda: [row], timedelta(minutes=1), job, "here"), [row], Settings(tz=UTC)
    ).errors
    raise error


def test_wrong_pauses_of_rates_are_refused() -> None:
    wrong: list[dict[str, Any]] = [{"retry_after": None}, {"retry_after": -1}, {"retry_after": 3, "name": ""}]
    wrong.append({"retry_after": 3, "name": "a\udcff"})

    for given in wrong:
        with pytest.raises(ValueError, match="RateLimited: "):
            RateLimited(**given)
