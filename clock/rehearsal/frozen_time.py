"""The world's clock: the results of `datetime.now()`, `time.time()` and `date.today()` in the user's code.

While a clock file's conditions, callbacks and actions run under fake time, these are moved to the due
instant, by the `time-machine` package. If the test itself has frozen time with freezegun, that is moved instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clock.clocks import from_ms
from clock.errors import ConfigurationError

try:
    import time_machine
except ImportError:  # pragma: no cover  # the `testing` extra, which tests have, is not installed
    time_machine = None  # type: ignore[assignment]  # asked for below

#: Moves the world's clock to an instant, in seconds since 1970.
Move = Callable[[float], object]


@contextmanager
def moving_world(start: float) -> Iterator[Move]:
    """Freeze the world's clock at `start` (seconds since 1970); restore it at the end.

    Yields the function that moves it. The machine's zone stays as it is. Raises ConfigurationError if the
    `testing` extra is not installed.
    """
    freezegun: Any = sys.modules.get("freezegun.api")
    if freezegun is not None and freezegun.freeze_factories:  # the test itself runs under freezegun
        instant, offset = from_ms(round(start * 1000)), freezegun.tz_offsets[-1]
        with sys.modules["freezegun"].freeze_time(instant, tz_offset=offset) as frozen:
            yield lambda to: frozen.move_to(from_ms(round(to * 1000)))
    elif time_machine is None:
        raise ConfigurationError(
            "conditions, callbacks and actions of a clock file run under fake time only with the time-machine "
            "package; install it with: pip install 'clockd[testing]'"
        )
    else:
        with time_machine.travel(start, tick=False) as traveller:
            yield traveller.move_to
