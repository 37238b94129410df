"""The jobs of the shop: a worker finds them here."""

from django.utils import timezone, translation

from clock import Job
from shop.models import Order


class ForgetOldOrdersJob(Job):
    """Deletes the orders whose receipt was sent."""

    queue = "low"

    def perform(self) -> None:
        """Do it."""
        Order.objects.filter(receipt_sent=True).delete()


class SpeakGermanJob(Job):
    """Leaves a language and a time zone behind."""

    def perform(self) -> None:
        """Do it."""
        self.logger.info("speaks %s in %s", translation.get_language(), timezone.get_current_timezone_name())
        translation.activate("de")
        timezone.activate("Asia/Tokyo")
