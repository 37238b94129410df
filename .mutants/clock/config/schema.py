"""A JSON schema of the settings file, with which editors complete and check it."""

from __future__ import annotations

from clock.config.settings import SETTINGS

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
