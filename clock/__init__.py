"""A clock process and a job worker: every due instant enqueued exactly once, no job lost."""

__version__ = "0.1.0"
