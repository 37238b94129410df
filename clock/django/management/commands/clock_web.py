"""`manage.py clock_web`."""

from clock.django.command_line import ClockCommand


class Command(ClockCommand):
    """Serves the dashboard: python -m clock web with the project's settings."""

    help = "Serve the dashboard. See manage.py clock_web --help."
    before = ("web",)
