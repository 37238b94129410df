"""Pushes jobs after a database transaction is committed, and drops them if it is rolled back.

Without this, a worker may look for a row that is not committed yet, or that never will be. A job class sets
`enqueue_after_commit = django_commit()`; a single push uses
`.set(enqueue_after_commit=sqlalchemy_commit(session))`. Any function works that accepts a callback and calls it
after the commit. The push returns the jid immediately. Outside a transaction the job is pushed immediately.

Commit and push are two steps. If Redis is away, a commit that has succeeded raises StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clock.errors import ConfigurationError
from clock.job.context import OnCommit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, SessionTransaction, scoped_session

    AnySession = Session | AsyncSession | scoped_session[Any] | async_scoped_session[Any]

Push = Callable[[], object]

_PUSHES = "clock_pushes"  # in a session's info: [(the transaction that must be committed, the callback)]
_COMMITTED = "clock_committed"  # in a session's info: the callback for the end of the committed transaction


def django_commit(using: str | None = None) -> OnCommit:
    """Push when Django's transaction on the database `using` is committed. Raises ConfigurationError."""
    transaction = _needed("django.db.transaction", "Django")
    too_soon = _needed("django.core.exceptions", "Django").SynchronousOnlyOperation

    def on_commit(push: Push) -> None:
        try:
            transaction.on_commit(push, using=using)
        except too_soon:  # in an event loop, Django has no transactions
            push()

    return on_commit


def sqlalchemy_commit(session: AnySession) -> OnCommit:
    """Push when the outermost transaction of an SQLAlchemy session is committed.

    Jobs pushed within a savepoint that is rolled back are dropped. A `scoped_session` means its current session at
    the push. Raises ConfigurationError if SQLAlchemy is not installed.
    """
    event = _needed("sqlalchemy.event", "SQLAlchemy")

    def on_commit(push: Push) -> None:
        own: Any = session
        if hasattr(own, "registry"):
            own = own()
        current: Session = getattr(own, "sync_session", own)
        transaction = current.get_nested_transaction() or current.get_transaction()
        if transaction is None:
            push()
            return
        if _PUSHES not in current.info:
            current.info[_PUSHES], current.info[_COMMITTED] = [], []
            event.listen(current, "after_commit", _after_commit)
            event.listen(current, "after_transaction_end", _after_end)
        is_awaited = current is not own
        current.info[_PUSHES].append((transaction, partial(_push_in_thread, push) if is_awaited else push))

    return on_commit


def _after_commit(session: Session) -> None:
    """Keep a savepoint's pushes for the transaction around it. The outermost transaction's pushes are ready."""
    savepoint = session.get_nested_transaction()
    pushes: list[tuple[SessionTransaction, Push]] = session.info[_PUSHES]
    if savepoint is None:
        session.info[_COMMITTED] = [push for _, push in pushes]
        session.info[_PUSHES] = []
    else:
        around = savepoint.parent
        session.info[_PUSHES] = [(around if one is savepoint else one, push) for one, push in pushes]


def _after_end(session: Session, transaction: SessionTransaction) -> None:
    """Drop the pushes that still wait for a transaction that has ended: it was rolled back."""
    session.info[_PUSHES] = [(one, push) for one, push in session.info[_PUSHES] if one is not transaction]
    if transaction.parent is None:
        ready, session.info[_COMMITTED] = session.info[_COMMITTED], []
        for push in ready:
            push()


def _push_in_thread(push: Push) -> None:
    """Push on a thread while a commit is awaited, so the event loop is not blocked."""
    _needed("sqlalchemy.util", "SQLAlchemy").await_only(asyncio.to_thread(push))


def _needed(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(f"{name} is not installed, so it has no transactions to wait for") from None
