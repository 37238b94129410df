"""Sends mail: by SMTP where `SMTP_URL` is set, else into the Maildir `tmp/outbox`.

`SMTP_URL` is `smtp://user:password@host:587` (with STARTTLS where the server has it),
or `smtps://user:password@host:465`.
"""

from __future__ import annotations

import mailbox
import os
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage, Message
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ROOT = Path(__file__).parent.parent


def deliver(message: EmailMessage) -> None:
    """Send `message`, or raise."""
    url = os.environ.get("SMTP_URL")
    if url:
        _send(message, url)
    else:
        _maildir().add(message)


def outbox() -> Iterator[Message]:
    """The mails in the Maildir."""
    return iter(_maildir())


def _maildir() -> mailbox.Maildir:
    path = Path(os.environ.get("APP_OUTBOX") or _ROOT / "tmp" / "outbox")
    for part in ("tmp", "new", "cur"):  # several workers may be the first; mailbox itself would fail
        (path / part).mkdir(parents=True, exist_ok=True)
    return mailbox.Maildir(path, create=False)


def _send(message: EmailMessage, url: str) -> None:
    parts = urlsplit(url)
    host, tls = parts.hostname or "localhost", ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=30, context=tls)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=30)
    with server:
        server.ehlo()
        if parts.scheme != "smtps" and server.has_extn("starttls"):
            server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
