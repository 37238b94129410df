"""The schedule. Run it with: python -m clock lib/clock.py"""

from jobs.send_welcome_job import SendWelcomeJob

from clock import configure, every

configure(tz="UTC")

every().day.at("06:00").do(SendWelcomeJob, "boss@example.com").named("boss.welcome")
