"""Django with two databases in memory; importing it sets Django up."""

import django
from django.conf import settings

if not settings.configured:
    memory = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(DATABASES={"default": memory, "other": memory}, USE_TZ=True)
    django.setup()

from django.db import transaction  # Django wants its settings first

__all__ = ["transaction"]
