"""What is asked for with a push, beside the arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clock.job.delays import Time

if TYPE_CHECKING:
    from clock.job.job import Job

#: Takes a function and calls it once the transaction under way is committed; never, if it is rolled back.
OnCommit = Callable[[Callable[[], object]], object]


@dataclass(slots=True)
class Order:
    """A job class, options of the payload over its own, when it is to be run, after what commit it is pushed."""

    job: type[Job]
    options: Mapping[str, Any] = field(default_factory=dict)
    when: Time | None = None
    on_commit: OnCommit | None = None
