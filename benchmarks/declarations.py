"""What declarations cost: the seconds to load a clock file of very many, and the memory of an event.

python benchmarks/declarations.py [COUNT]
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from clock.timetable import Timetable, load

COUNT = 100_000
CLOCK_FILE = """
from datetime import timedelta
from clock import configure, cron, every
configure(tz="America/New_York")
def act(*_): ...
for n in range({count} // 4):
    every().day.at(f"{{n % 24:02}}:{{n % 60:02}}").named(f"daily.{{n}}").do(act)
    every(5 + n % 50).minutes.named(f"minutes.{{n}}").do(act)
    cron(f"{{n % 60}} {{n % 24}} * * mon-fri").named(f"cron.{{n}}").do(act)
    every(timedelta(hours=1), f"clockwork.{{n}}", at=f"**:{{n % 60:02}}")(act)
"""


def declared(count: int) -> Timetable:
    """A timetable of so many events, a quarter each of four kinds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clock.py"
        path.write_text(CLOCK_FILE.format(count=count))
        return load(path)


def load_all(count: int) -> float:
    """Load so many, and print the time; the seconds of the processor, which a busy machine stretches less."""
    begun, worked = time.perf_counter(), time.process_time()
    declared(count)
    took, seconds = time.perf_counter() - begun, time.process_time() - worked
    each = seconds / count * 1e6
    print(f"  {count:9,} loaded in {took:6.2f} s, {seconds:.2f} s of the processor: {each:.1f} us each")
    return seconds


def bytes_of_an_event(count: int) -> float:
    """What the timetable keeps of each event."""
    declared(4)  # what is loaded once is no event's
    gc.collect()
    tracemalloc.start()
    timetable = declared(count)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(timetable.events)


def main() -> None:
    """Print the figures, and whether the goals are met."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    print("Declarations")
    load_all(count // 10)
    seconds = load_all(count)
    if count == COUNT:
        print(f"{'':8}goal: under 5 s: {'met' if seconds < 5 else 'NOT met'}")
    size = bytes_of_an_event(count // 5)
    print(f"  {size:9,.0f} bytes an event")
    print(f"{'':8}goal: under 1,500: {'met' if size < 1500 else 'NOT met'}")


if __name__ == "__main__":
    main()
