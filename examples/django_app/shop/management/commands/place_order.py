"""`python manage.py place_order EMAIL [--fail]`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from jobs.send_receipt_job import SendReceiptJob

from shop.models import Order


class Command(BaseCommand):
    """Order something; the receipt is sent by a worker."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Whom to send it to, and whether the transaction fails at its end."""
        parser.add_argument("email")
        parser.add_argument("--fail", action="store_true")

    def handle(self, email: str, fail: bool, **options: Any) -> None:
        """The job is pushed within the transaction, and leaves with its commit."""
        with transaction.atomic():
            order = Order.objects.create(email=email)
            SendReceiptJob.perform_async(order.pk)
            if fail:
                raise SystemExit("out of stock: nothing is ordered, and no receipt is sent")
