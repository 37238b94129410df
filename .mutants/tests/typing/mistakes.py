"""Eighteen mistakes. mypy and pyright must report each line that ends in `# mistake`, and no other."""

from datetime import datetime

from clock import Job, cron, every, job
from tests.typing.right import CountOrdersJob, SendInvoiceJob, charge, count_orders, mail_receipt


def push() -> None:
    SendInvoiceJob.perform_async("7", "full")  # mistake: a wrong type
    SendInvoiceJob.perform_async(7)  # mistake: a missing argument
    SendInvoiceJob.perform_async(7, "full", 1)  # mistake: one too many
    SendInvoiceJob.perform_async(7, knd="full")  # mistake: a misspelt name
    SendInvoiceJob.perform_in("5 minutes", 7, "full")  # mistake: no interval
    SendInvoiceJob.perform_at(datetime.now, 7, "full")  # mistake: a function
    SendInvoiceJob.set(queu="low").perform_async(7, "full")  # mistake: a misspelt option
    SendInvoiceJob.set(queue="low").perform_async("full", 7)  # mistake: changed places
    SendInvoiceJob.perform_bulk([("1", "full")])  # mistake: a wrong type in a tuple
    SendInvoiceJob.perform_bulk([1, 2])  # mistake: no arguments
    len(SendInvoiceJob.perform_inline(7, "full") + 1)  # mistake: perform returns text
    mail_receipt.perform_async(order="7")  # mistake: a misspelt name
    mail_receipt.perform_asynk(7)  # mistake: a misspelt method
    charge.delay("7")  # mistake: a wrong type
    charge.apply_async((7,), count_down=10)  # mistake: a misspelt option


def declare() -> None:
    every().day.at("06:00").do(SendInvoiceJob, "7", "full")  # mistake: a wrong type
    every().day.do(CountOrdersJob.set(queue="low"), 7)  # mistake: a wrong type
    cron("@daily").do(count_orders, 7)  # mistake: a wrong type


class FineJob(Job):
    def perform(self) -> None: ...


@job(queue="mail")
def fine() -> None: ...
