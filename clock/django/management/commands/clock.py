"""`manage.py clock`."""

from clock.django.command_line import ClockCommand


class Command(ClockCommand):
    """Runs the clock, or any other command of clock: manage.py clock status."""

    help = "Run the clock, or another command of clock: manage.py clock status. See manage.py clock --help."
