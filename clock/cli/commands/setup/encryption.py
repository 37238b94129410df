"""`clock encryption`: the keys of encrypted jobs."""

from __future__ import annotations

from collections import Counter

import click

from clock.cli.groups import CommandGroup
from clock.cli.opening import Opened, with_redis
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.inspection.jobs.busy import all_jobs
from clock.job.encryption import key_id_of, key_ids, new_key


@click.group(cls=CommandGroup)
def encryption() -> None:
    """Create a key for encrypted jobs, and count jobs by key."""


@encryption.command(short_help="Print a new random key.")
def new() -> None:
    """Print a new random key. Put it first in CLOCK_ENCRYPTION_KEYS of all programs.

    \b
    Example: python -m clock encryption new
    """
    echo(new_key())


@encryption.command("keys", short_help="Count the jobs that need each key.")
@json_option
@with_redis
def keys_command(opened: Opened, as_json: bool) -> None:
    """Count the jobs in Redis that need each key. A key that no job needs can be removed.

    Keys are shown by id, a hash. The keys themselves are never printed. Reads all jobs.

    \b
    Example: python -m clock encryption keys
    """
    own, found = key_ids(), (key_id_of(job.payload) for job in all_jobs(opened.redis))
    used = Counter(key_id for key_id in found if key_id is not None)
    rows = [(key_id, _role(key_id, own), used[key_id]) for key_id in [*own, *sorted(used.keys() - {*own})]]
    if as_json:
        echo_json([{"key": key_id, "role": role, "jobs": jobs} for key_id, role, jobs in rows])
    else:
        none = "No keys here, and no encrypted jobs. Create a key with: clock encryption new"
        echo_table(["key", "role", "jobs"], rows, none=none)


def _role(key_id: str, own: list[str]) -> str:
    if key_id not in own:
        return "missing here"
    return "encrypts and decrypts" if key_id == own[0] else "decrypts"
