"""`clock mark-deploy`: draws a line with a label on the charts of the dashboard."""

from __future__ import annotations

import os

import click

from clock.api.deploys import marked
from clock.cli.opening import Opened, with_redis
from clock.cli.output import echo
from clock.store.jobs.deploy_marks import Marking

TEXTS = {
    Marking.MARKED: "Marked {}",
    Marking.LABEL_HAS_MARK: "Not marked: this label was marked in the last minute: {}",
    Marking.MINUTE_HAS_MARK: "Not marked: this minute already has another mark. Try again in the next minute: {}",
}


@click.command()
@click.argument("label", required=False)
@with_redis
def mark_deploy(opened: Opened, label: str | None) -> None:
    """Mark a deploy on the charts of the dashboard, and of Sidekiq's page Metrics. Marks are kept for 90 days.

    The default of LABEL is HEROKU_RELEASE_VERSION or CLOCK_RELEASE. A minute has one mark, so every process of a
    deploy may run this.

    \b
    Example: python -m clock mark-deploy "$(git log -1 --format='%h %s')"
    """
    label = label or os.environ.get("HEROKU_RELEASE_VERSION") or os.environ.get("CLOCK_RELEASE") or ""
    if not label.strip():
        raise click.UsageError("give a label: the release, or the change")
    stored, marking = marked(label, redis=opened.redis)
    echo(TEXTS[marking].format(stored))
