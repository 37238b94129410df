"""Pushes by class name. The class may belong to another program, also one in Ruby."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Unpack, cast

from clock.errors import ArgumentsError, JobError
from clock.job import registry
from clock.job.context import JobClass
from clock.job.job import Job
from clock.job.options import OPTIONS, CallOptions
from clock.job.push.setter import Setter
from clock.printable import brief


def enqueue(job_class: str, args: Sequence[Any] = (), /, **options: Unpack[CallOptions]) -> str:
    """Push a job of the class that payloads call `job_class`. Returns its jid, '' if client middleware stopped it.

    `args` is the list of arguments. It accepts the options of `.set()`. If this process has imported the class,
    its options apply and its `perform` checks the arguments; otherwise Sidekiq's defaults apply. Raises JobError,
    ArgumentsError, StoreUnavailable.

    >>> enqueue("Billing::ChargeJob", [7, "eur"], queue="billing")  # doctest: +SKIP
    'b4a577edbccf1d805744efa9'
    """
    return _order(job_class, args, dict(options)).perform_async(*args)


async def aenqueue(job_class: str, args: Sequence[Any] = (), /, **options: Unpack[CallOptions]) -> str:
    """`enqueue` that does not block the event loop."""
    return await _order(job_class, args, dict(options)).aperform_async(*args)


def _order(job_class: str, args: object, options: dict[str, Any]) -> Setter[Any]:
    if not isinstance(job_class, str) or not job_class:
        raise JobError(f"enqueue takes the name of a class, not {brief(job_class)}")
    if not isinstance(args, (list, tuple)):
        raise ArgumentsError(f"enqueue({job_class!r}) takes a list of arguments, not {brief(args)}")
    if registry.knows(job_class):
        return Setter[Any].of(registry.lookup(job_class), options)
    if "redact" in options:
        raise JobError(f"enqueue({job_class!r}): redact names arguments of perform, which is not known here")
    options.setdefault("enqueue_after_commit", Job.enqueue_after_commit)
    return Setter[Any].of(_foreign(job_class), options)


#: The attributes of a class that this process does not have: the defaults of all options. The worker that has the
#: class checks whether the job iterates.
_FOREIGN = {name: vars(Job)[name] for name in OPTIONS if name in vars(Job)}
_FOREIGN |= {"perform": lambda self, *args: None, "_iterates": True, "_checked_rules": ()}


@cache
def _foreign(name: str) -> JobClass:
    return cast("JobClass", type(name, (), {**_FOREIGN, "wire_name": name}))
