"""Orders."""

from django.db import models


class Order(models.Model):
    """What somebody has bought."""

    email = models.EmailField()
    receipt_sent = models.BooleanField(default=False)
