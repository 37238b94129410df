"""A JSON schema of the settings file, so that an editor completes and checks it."""

from __future__ import annotations

from clock.config.settings import SETTINGS

_REFERENCE = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}$"}


def json_schema() -> dict[str, object]:
    """The schema, draft 2020-12: the settings, and sections of the same for each environment."""
    settings = {
        setting.name: {
            "description": f"{setting.about}; default: {_default(setting.default)}",
            "anyOf": [setting.schema, _REFERENCE],
        }
        for setting in SETTINGS
    }
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


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(name for name, _ in value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
