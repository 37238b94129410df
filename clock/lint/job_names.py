"""How jobs are called: VerbNounsJob, and VerbAllNounsJob where a job pushes one for each of many things.

`SendReminderJob`, `SendAllRemindersJob`: such a name says in logs and on Sidekiq's page what is done, and which
jobs make others. It is a custom, so what is said here is a warning.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from types import CodeType

from clock.job.types import JobClass

_PUSH_MANY = {"perform_bulk", "aperform_bulk"}
_PUSH_ONE = {f"{a}perform_{way}" for a in ("", "a") for way in ("async", "in", "at")}

#: Verbs that job names begin with. One that is missing here is let pass, unless the name shows another verb.
_VERBS = frozenset(
    re.findall(
        r"\w+",
        """
    accept activate add aggregate allocate analyze announce anonymize apply approve archive assign audit
    authorize back backfill backup bake bill block book bounce build bump cache calculate cancel capture
    charge check classify clean cleanup clear close collect compact compare compile complete compress compute
    confirm consume convert copy count create credit deactivate debit decline decrypt deduplicate delete
    deliver deploy detect disable discard dispatch distribute download drain drop dump edit email enable
    encode encrypt end enqueue enrich enroll ensure escalate estimate evaluate exclude execute expire export
    extend extract fail fetch fill filter finalize find finish fire fix flag flush follow forget format
    forward freeze fulfil fulfill gather generate geocode get grade grant greet group handle hash hide
    identify import include increment index ingest inspect install invalidate invite invoice issue join label
    link list load lock log mail make mark match measure merge migrate moderate monitor move normalize note
    notify open optimize order pack parse patch pause pay perform ping place poll populate post prepare print
    process provision prune publish pull purge push queue read rebuild recalculate receive reconcile record
    recover recreate redeliver refresh refund register reindex reject release reload remind remove rename
    render renew repair replace replicate reply report request resend reserve reset resize resolve restart
    restore restrict resume retrieve retry return revoke roll rotate run save scale scan schedule score scrape
    search seed send set settle share ship show sign simulate skip sleep snapshot sort split start stop store
    stream submit subscribe sum summarize suspend sweep swap sync synchronize tag terminate test touch track
    train transcode transfer transform translate trash trigger trim truncate unblock unlock unpublish
    unsubscribe update upgrade upload validate verify void wait wake warm warn watch withdraw write zip
        """,
    )
)
#: Ends of words that are nouns, gerunds or participles rather than verbs.
_NO_VERB = re.compile(r"(tion|sion|ment|ness|ance|ence|ity|ing|ies|ist|ism|mail|data|file|user|er|or|ed)$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")


def naming_warning(job: JobClass) -> str | None:
    """What is unusual in the name of a job class, with a name that would be usual; None: nothing.

    >>> from clock import Job
    >>> class ParcelSyncJob(Job):
    ...     def perform(self) -> None: ...
    >>> naming_warning(ParcelSyncJob)
    'ParcelSyncJob does not start with a verb; name jobs VerbNounsJob, such as SyncParcelJob'
    """
    name = job.__name__
    words = _WORD.findall(name)
    if not name.endswith("Job") or words[-1] != "Job":
        return f"{name} does not end in Job; name jobs VerbNounsJob, such as {'Send' * (len(words) < 2)}{name}Job"
    verb, nouns = words[0], words[1:-1]
    wrong = _wrong_verb(verb.lower(), nouns)
    if wrong:
        return f"{name} {wrong}; name jobs VerbNounsJob, such as {_verb_first(words[:-1])}Job"
    if _pushes_many(job) and nouns[0] not in ("All", "Every", "Each"):
        usual = f"{verb}All{''.join(nouns)}{'' if nouns[-1].endswith('s') else 's'}Job"
        return f"{name} pushes many jobs; name such a job VerbAllNounsJob, such as {usual}"
    return None


def _wrong_verb(first: str, nouns: list[str]) -> str | None:
    if not nouns:
        return "has no verb and noun" if first not in _VERBS else "has no noun"
    if first in _VERBS:
        return None
    if _NO_VERB.search(first) or nouns[-1].lower() in _VERBS:
        return "does not start with a verb"
    return None


def _verb_first(words: list[str]) -> str:
    """The words as they would be in order: the verb among them in front, or a common one."""
    verbs = [word for word in words if word.lower() in _VERBS]
    if not verbs:
        return "Send" + "".join(words)
    rest = words.copy()
    rest.remove(verbs[-1])
    return verbs[-1] + ("".join(rest) or "Things")


def _pushes_many(job: JobClass) -> bool:
    """Whether `perform` pushes jobs in bulk, or one by one in a loop; read from its code, which is not run."""
    code = getattr(getattr(job, "perform", None), "__code__", None)
    return isinstance(code, CodeType) and _has_many(code)


def _has_many(code: CodeType, repeated: bool = False) -> bool:
    if _PUSH_MANY & set(code.co_names):
        return True
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    if any(_has_many(one, one.co_name.startswith("<")) for one in inner):  # a comprehension is a loop
        return True
    pushes = [place.offset for place in dis.get_instructions(code) if place.argval in _PUSH_ONE]
    if repeated:
        return bool(pushes)
    return any(begin <= push <= end for push in pushes for begin, end in _loops(code))


def _loops(code: CodeType) -> Iterator[tuple[int, int]]:
    """The stretches of code that are repeated, from each jump back to where it goes."""
    for place in dis.get_instructions(code):
        if place.opname.startswith("JUMP_BACKWARD") and isinstance(place.argval, int):
            yield place.argval, place.offset
