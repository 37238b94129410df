"""`manage.py worker`."""

from clock.django.command_line import ClockCommand


class Command(ClockCommand):
    """Runs jobs: python -m clock worker with the project's settings and jobs."""

    help = "Run jobs. See manage.py worker --help."
    before = ("worker",)
