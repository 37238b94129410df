"""`clock config`: the settings and their sources, and a JSON schema with which editors check the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clock.cli.options import shared_options
from clock.cli.output import echo, echo_json, echo_table, json_option
from clock.config import SETTINGS, Found, environment, file_used, gather
from clock.store.server.address import masked

_REFERENCE = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$"}
_SCHEDULE = {
    "description": "events by name; docs/clock-file.md lists their fields",
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "cron": {"type": "string"},
            "rrule": {"type": "string"},
            "sun": {"type": "string"},
            "every": {"type": ["string", "number"]},
            "at": {"type": ["string", "array"]},
            "job": {"type": "string"},
            "enabled": {"type": "boolean"},
        },
    },
}


@click.command()
@click.option("--schema", is_flag=True, help="Print the JSON schema of the settings file, for editors.")
@json_option
@shared_options
def config(config: Path | None, schema: bool, as_json: bool, **options: Any) -> None:
    """Print the settings of this environment and the source of each value.

    Passwords are not shown.

    \b
    Example: CLOCK_ENV=production python -m clock config
    """
    if schema:
        echo_json(json_schema())
        return
    found = gather(options, file=config)
    if as_json:
        echo_json({item.name: {"value": _shown(item), "source": item.source} for item in found})
        return
    echo(f"environment {environment()}, file {file_used(config) or 'none'}")
    echo()
    echo_table(["setting", "value", "from"], [(item.name, _shown(item), item.source) for item in found])


def _shown(found: Found) -> object:
    """The value in the form of a settings file, without secrets."""
    value = found.value
    if found.name == "redis":
        return masked(str(value)) if value else "the embedded Valkey of this folder"
    if isinstance(value, tuple) and found.name == "queues":
        value = tuple(f"{name},{weight}" if weight else name for name, weight in value)
    if isinstance(value, tuple):
        return ("; " if found.name == "capsules" else ", ").join(map(str, value)) or "none"
    if value is None:
        return "none"
    return value if isinstance(value, (int, float)) else str(value)


def json_schema() -> dict[str, object]:
    """The schema, draft 2020-12: the settings, and a section with the same settings for each environment."""
    settings: dict[str, object] = {
        setting.name: {
            "description": f"{setting.about}; default: {setting.shown_default}",
            "anyOf": [setting.kind.schema, _REFERENCE],
        }
        for setting in SETTINGS
    }
    settings["schedule"] = _SCHEDULE
    section = {"type": "object", "properties": settings, "additionalProperties": False}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of clock and worker",
        "type": "object",
        "properties": settings,
        "additionalProperties": {
            **section,
            "description": "the settings of the environment that CLOCK_ENV names",
        },
    }
