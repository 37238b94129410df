"""Tests that cannot run under coverage."""

import pytest

#: Python interrupts no thread that coverage traces, and two threads may not begin to be traced at once.
#: The condition is a text: `.ci/mutants` begins to trace after the tests were collected.
not_traced = pytest.mark.skipif("sys.gettrace() is not None", reason="it cannot run under coverage")
