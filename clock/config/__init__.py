from clock.config.load import Found, environment, file_used, gather, load_config
from clock.config.schedule_file import Declared
from clock.config.schema import json_schema
from clock.config.settings import SETTINGS, Config, Setting

__all__ = [
    "SETTINGS",
    "Config",
    "Declared",
    "Found",
    "Setting",
    "environment",
    "file_used",
    "gather",
    "json_schema",
    "load_config",
]
