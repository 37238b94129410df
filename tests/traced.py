"""Tests that cannot run under coverage."""

import sys

import pytest

#: Python interrupts no thread that coverage traces, and two threads may not begin to be traced at once.
not_traced = pytest.mark.skipif(sys.gettrace() is not None, reason="it cannot run under coverage")
