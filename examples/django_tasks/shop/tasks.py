"""The tasks of the shop."""

import asyncio

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task

from django.core.mail import send_mail

from shop.models import Order


@task(queue_name="mail")
def send_receipt(order_id: int) -> str:
    """Send the receipt of an order; who got it."""
    order = Order.objects.get(pk=order_id)
    send_mail(f"Receipt {order_id}", "Thank you.", "shop@example.com", [order.email])
    Order.objects.filter(pk=order_id).update(receipt_sent=True)
    return order.email


@task
async def add(first: int, second: int) -> int:
    """Add two numbers."""
    return first + second


@task
async def wait_for_goods() -> None:
    """Wait for long."""
    await asyncio.sleep(3600)


@task(takes_context=True)
def count_attempts(context: object) -> int:
    """Fail once; the number of the attempt."""
    if context.attempt < 2:
        raise RuntimeError("not yet")
    return context.attempt


@task
def count_orders() -> int:
    """Count the orders."""
    return Order.objects.count()


@task
def fail() -> None:
    """Fail."""
    raise ValueError("on purpose")


@task
def exit_process() -> None:
    """Ask for the end of the process."""
    raise SystemExit("on purpose")


@task
def return_a_set() -> object:
    """Return what JSON cannot hold."""
    return {1}
