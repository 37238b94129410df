"""The custom for names of jobs: verb and nouns in CamelCase, then `Job`, such as `SendReminderJob`.

Such a name describes the work in logs and listings. It is a custom, so another name is a warning.
"""

from __future__ import annotations

import re

from clock.job.context import JobClass

_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
_CUSTOM = "name jobs VerbNounsJob, such as SendReminderJob"


def naming_warning(job: JobClass) -> str | None:
    """The unusual thing in the name of a job class, or None.

    >>> from clock import Job
    >>> class ParcelJob(Job):
    ...     def perform(self) -> None: ...
    >>> naming_warning(ParcelJob)
    'ParcelJob has one word before Job; name jobs VerbNounsJob, such as SendReminderJob'
    """
    name = job.__name__
    if job.perform.__qualname__ == job.__qualname__:
        return None  # a function with @job has a function's name
    words = _WORD.findall(name)
    if not _CAMEL_CASE.fullmatch(name):
        return f"{name} is not in CamelCase; {_CUSTOM}"
    if words[-1] != "Job":
        return f"{name} does not end in Job; {_CUSTOM}"
    if len(words) < 3:
        return f"{name} has {'one word' if len(words) == 2 else 'no words'} before Job; {_CUSTOM}"
    return None
