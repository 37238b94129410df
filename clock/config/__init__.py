from clock.config.load import (
    DEFAULT_FILES,
    add_to_application,
    environment,
    file_used,
    found_of_process,
    gather,
    load_config,
    refuse_application,
    use_application,
)
from clock.config.settings import BY_NAME, SETTINGS, Config, Declared, Found, Setting

__all__ = [
    "BY_NAME",
    "DEFAULT_FILES",
    "SETTINGS",
    "Config",
    "Declared",
    "Found",
    "Setting",
    "add_to_application",
    "environment",
    "file_used",
    "found_of_process",
    "gather",
    "load_config",
    "refuse_application",
    "use_application",
]
