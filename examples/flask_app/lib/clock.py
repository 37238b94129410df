"""The schedule. Run it with: python -m clock lib/clock.py"""

from jobs.count_signups_job import CountSignupsJob

from clock import configure, every

configure(tz="UTC")

every(30).seconds.do(CountSignupsJob).named("signups.count")
