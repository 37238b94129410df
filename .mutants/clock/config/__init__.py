from clock.config.load import (
    DEFAULT_FILES,
    Found,
    environment,
    file_used,
    gather,
    load_config,
    setting_of_process,
    use_application,
)
from clock.config.schedule_file import Declared
from clock.config.schema import json_schema
from clock.config.settings import BY_NAME, SETTINGS, Config, Setting

__all__ = [
    "BY_NAME",
    "DEFAULT_FILES",
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
    "setting_of_process",
    "use_application",
]
