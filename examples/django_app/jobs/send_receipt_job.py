"""Receipts by mail."""

from django.core.mail import send_mail
from shop.models import Order

from clock import Job
from clock.job.after_commit import django_commit


class SendReceiptJob(Job):
    """Sends the receipt of an order."""

    enqueue_after_commit = django_commit()

    def perform(self, order_id: int) -> None:
        """Look the order up and send the mail."""
        order = Order.objects.get(pk=order_id)
        send_mail(f"Receipt {order.pk}", "Thank you.", "shop@example.com", [order.email])
