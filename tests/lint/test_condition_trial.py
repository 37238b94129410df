"""The trial of conditions, and what it leaves in the process."""

import subprocess
import sys

import pytest

FAILS_AT_THE_END = """
import sys
from clock.lint import condition_trial

class Fails:
    def __del__(self):
        raise ValueError("of a destructor")

condition_trial.ask(lambda due: False, [1, 2])
sys.addaudithook(lambda *_, kept=condition_trial: None)  # the module lives until the interpreter empties it
condition_trial.fails = Fails()
"""


@pytest.mark.process
def test_after_a_trial_an_error_of_a_destructor_at_the_interpreters_end_is_printed_as_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILS_AT_THE_END], text=True, capture_output=True, check=True, timeout=60
    )

    assert "ValueError: of a destructor" in done.stderr
    assert "audit hook" not in done.stderr
