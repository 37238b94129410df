"""The demonstration: clock, worker and dashboard; the day's reminders are fired once, so mails are written."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys

EVENT = "assignment.reminders"
WHERE = """
The reminders have been enqueued; the worker writes their mails into tmp/outbox/new.
  ls tmp/outbox/new                          the mails
  .venv/bin/python -m db.check_outbox        each due reminder sent once?
  .venv/bin/python -m clock fire {event}
The dashboard: see the line "web    | The dashboard is at". Look at Schedules, an event, and "Why did it run?".
Ctrl-C stops everything.
"""


def main() -> int:
    """Run until Ctrl-C, or for `--seconds`; the exit code of `clock dev`."""
    parser = argparse.ArgumentParser(description="Run clock and worker, and fire the daily reminders once.")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long; 0: at Ctrl-C")
    seconds = parser.parse_args().seconds or None
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to `clock dev` as well, which stops all
    both = subprocess.Popen([sys.executable, "-m", "clock", "dev"], preexec_fn=_take_interrupts)
    fired = subprocess.run([sys.executable, "-m", "clock", "fire", EVENT], check=False)
    if fired.returncode == 0:
        print(WHERE.format(event=EVENT), flush=True)
    try:
        return both.wait(seconds)
    except subprocess.TimeoutExpired:
        both.send_signal(signal.SIGINT)
        return both.wait()


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
