"""Reports by mail."""

from django.core.mail import send_mail
from shop.models import Order, Report

from clock import Job


class MakeReportJob(Job):
    """Makes a report that a row of `Report` has asked for."""

    def perform(self, report_id: int) -> None:
        """Count the orders and send the figure."""
        report = Report.objects.get(pk=report_id)
        text = f"{Order.objects.count()} orders, for {self.due_at}"
        send_mail(f"Report {report.name}", text, "shop@example.com", ["boss@example.com"])
