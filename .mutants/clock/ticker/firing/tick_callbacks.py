"""`before_tick` and `after_tick` callbacks, which run every `sleep_timeout` seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from clock.forking import child_ends_here
from clock.ticker.firing import run_event
from clock.timetable import Timetable


class TickCallbacks:
    """Calls the callbacks. If a `before_tick` returns False, no event fires until it is called again."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._period = timedelta(seconds=timetable.settings.sleep_timeout)
        self._finish = False
        self.holds = False  # a before_tick returned False
        self.next_at: datetime | None = None  # None: no callbacks are declared, or they have not run yet

    def begin(self, now: datetime) -> bool:
        """Call `before_tick` if its time has come. Returns whether the clock may fire."""
        callbacks = self._timetable.callbacks
        if not (callbacks.before_tick or callbacks.after_tick):
            return True
        if self.next_at is None or now >= self.next_at:
            self.next_at = now.replace(microsecond=0) + self._period
            self._finish = True
            try:
                self.holds = run_event.vetoed(callbacks.before_tick)
            except BaseException as error:  # noqa: BLE001  # the user's code must not end the clock
                run_event.report(self._timetable, error, "A before_tick callback failed")
        return not self.holds

    def end(self) -> None:
        """Call `after_tick`, once for each call of `before_tick`."""
        if not self._finish:
            return
        self._finish = False
        for callback in self._timetable.callbacks.after_tick:
            try:
                with child_ends_here():
                    callback()
            except BaseException as error:  # noqa: BLE001  # the user's code must not end the clock
                run_event.report(self._timetable, error, "An after_tick callback failed")
