"""Orders, and the reports that are made on a schedule."""

from django.db import models


class Order(models.Model):
    """What somebody has bought."""

    email = models.EmailField()


class Report(models.Model):
    """A report and when it is made: an event of the clock, edited like any other row."""

    name = models.CharField(max_length=100, unique=True)
    every = models.CharField(max_length=50, help_text="10 minutes, 1 day ...")
    at = models.CharField(max_length=50, null=True, blank=True, help_text="06:00, or nothing")
    enabled = models.BooleanField(default=True)
