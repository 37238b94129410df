"""Pushes and declarations that type checkers must accept. `tests/typing/test_checkers.py` checks and runs them."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import assert_type

from clock import DUE_AT, Job, cron, enqueue, every, job
from clock.contrib.celery_names import shared_task


class SendInvoiceJob(Job):
    queue = "mail"

    def perform(self, order_id: int, kind: str) -> str:
        return f"{kind} {order_id}"


class CountOrdersJob(Job):
    async def perform(self, day: str = "today") -> int:
        return len(day)


@job(queue="mail", retry=3, expires_in=timedelta(hours=1))
def mail_receipt(order_id: int, kind: str = "full") -> str:
    return f"{kind} {order_id}"


@job
async def count_orders(day: str) -> int:
    return len(day)


@job(bind=True, queue="low")
def report_attempt(run: Job, order_id: int) -> int:
    return run.attempt + order_id


@shared_task(name="orders.charge", max_retries=3)
def charge(order_id: int, currency: str = "eur") -> None: ...


def push() -> None:
    assert_type(SendInvoiceJob.perform_async(7, "full"), str)
    assert_type(SendInvoiceJob.perform_async(7, kind="full"), str)
    assert_type(SendInvoiceJob.perform_in(timedelta(minutes=5), 7, "full"), str)
    assert_type(SendInvoiceJob.perform_at(datetime(2030, 1, 1, tzinfo=UTC), 7, "full"), str)
    assert_type(SendInvoiceJob.set(queue="low", wait=60).perform_async(7, "full"), str)
    assert_type(SendInvoiceJob.perform_bulk([(1, "full"), (2, "short")]), list[str])
    assert_type(SendInvoiceJob.perform_bulk((number, "full") for number in range(3)), list[str])
    assert_type(SendInvoiceJob.perform_bulk([[1, "full"], [2, "short"]]), list[str])
    assert_type(CountOrdersJob.perform_bulk([["today"], []]), list[str])
    assert_type(SendInvoiceJob.perform_inline(7, "full"), str)
    assert_type(SendInvoiceJob.perform_sync(7, "full"), str)
    assert_type(mail_receipt.perform_async(7), str)
    assert_type(mail_receipt.perform_in(60, 7, kind="short"), str)
    assert_type(mail_receipt.set(queue="low").perform_async(7), str)
    assert_type(mail_receipt(7), str)
    assert_type(report_attempt.perform_async(7), str)
    assert_type(charge.delay(7, currency="usd"), str)
    assert_type(charge.apply_async((7,), {"currency": "usd"}, countdown=10), str)
    assert_type(charge.apply_async([7], eta=datetime(2030, 1, 1, tzinfo=UTC), queue="low"), str)
    assert_type(enqueue("Billing::ChargeJob", [7, "eur"], queue="billing"), str)


def declare() -> None:
    every().day.at("06:00").do(SendInvoiceJob, 7, "full")
    every().day.at("07:00").do(SendInvoiceJob.set(queue="low"), 7, "full")
    every(10).minutes.do(mail_receipt, 7)
    every().hour.do(CountOrdersJob, DUE_AT)
    cron("@daily").do(CountOrdersJob)
    cron("@weekly").do(charge, 7, "usd")
    every().minute.do(lambda: None)
    every(2).minutes.do(partial(print, "tick"))
    every(3).minutes.do(print, "tick", sep="")
